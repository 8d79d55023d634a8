"""What is known of a map or of particles without reading their voxels."""

from __future__ import annotations

from typing import NamedTuple


class VolumeFacts(NamedTuple):
    """What a volume's header tells; pixel_size_A is 0 when it does not."""

    shape_zyx: tuple[int, int, int]
    pixel_size_A: float


class ParticleFacts(NamedTuple):
    """How many boxes, their side, and the pixel size in A, 0 when unknown."""

    n_particles: int
    box_px: int
    pixel_size_A: float

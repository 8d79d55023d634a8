"""The search for spherical vesicles, as a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import scipy

from engine.data import Catalogue, Curve, Tomogram, TomogramFacts
from engine.devices import Work
from engine.faults import EngineError
from engine.kernels import vesicles
from engine.kinds.form import Form
from engine.kinds.measuring import measured, seconds
from engine.kinds.picking.form import Finding, Range
from engine.outputs import Outputs
from engine.step import Share

MAP_BYTES, SEARCH_BYTES = 4, 70
"""Read of a voxel of the map, and held for one of the small map that is searched: as was measured."""

TILT_RANGE_DEG = (-60.0, 60.0)
"""Where nobody has told it."""


class Found(Form):
    """All that decides the proposals but the map, and what a catalogue tells of it."""

    tomo: int | None
    bin_factor: int
    pixel_size_A: float | None
    radius_A: Range
    thickness_A: float
    density: Literal["dark", "bright"]
    tilt_range_deg: Range | None
    minimum_score: float
    minimum_coverage: float


def find(settings: Found, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """Proposed spheres, the best first, numbered as regions."""
    tomogram: Tomogram = inputs["tomogram"]
    catalogue: Catalogue | None = inputs.get("catalogue")
    facts = catalogue.tomograms[0] if catalogue else TomogramFacts(settings.tomo or 0, "")
    pixel_size_A = settings.pixel_size_A or settings.bin_factor * (facts.pixel_size_A or 0) or tomogram.pixel_size_A
    if not pixel_size_A:
        raise EngineError("finding: the pixel size of the map is not known; give finding.pixel_size_A")
    low, high = settings.radius_A
    if vesicles.factor_of(low / pixel_size_A) > min(tomogram.shape_zyx):
        raise EngineError(f"finding: a sphere of {low:g} A is larger than the map; look at the units: A")
    found = vesicles.find(
        tomogram,
        (low / pixel_size_A, high / pixel_size_A),
        settings.thickness_A / pixel_size_A,
        settings.tilt_range_deg or facts.tilt_range_deg or TILT_RANGE_DEG,
        dark=settings.density == "dark",
        lowest_score=settings.minimum_score,
        lowest_coverage=settings.minimum_coverage,
    )
    columns = [
        (number, facts.number, *one.centre_xyz, one.radius, pixel_size_A, one.score, one.coverage)
        for number, one in enumerate(found, start=1)
    ]
    names = ("region", "tomo", "x", "y", "z", "radius", "pixel_size_A", "score", "coverage")
    values = np.array(columns, dtype=np.float64).reshape(-1, len(names)).T
    factor = vesicles.factor_of(low / pixel_size_A)
    return {
        "proposals": Curve(dict(zip(names, values, strict=True))),
        "found": {
            "tomogram": facts.number,
            "spheres": len(found),
            "searched at (A/px)": factor * pixel_size_A,
            "radii (A)": ", ".join(f"{one.radius * pixel_size_A:.0f}" for one in found) or "none",
        },
    }


def cost_of_finding(finding: Finding) -> Callable[[int, float], Share]:
    """What the search takes of a cube of the map's side: reading it, and a transform of the small map for each radius."""

    def share(box_px: int, pixel_size_A: float) -> Share:
        pixel = finding.pixel_size_A or pixel_size_A or 1.0
        low, high = (radius / pixel for radius in finding.radius_A)
        factor = vesicles.factor_of(low)
        n_voxels = (box_px / factor) ** 3
        n_radii = len(vesicles.steps(low / factor, max(low, high) / factor))
        return Share(
            once_seconds=n_radii * n_voxels * _transform_s(),
            read_bytes=MAP_BYTES * box_px**3,
            shared_bytes=vesicles.PART_BYTES + round(SEARCH_BYTES * n_voxels),
        )

    return share


@measured(0.0)
def _transform_s() -> float:
    """Seconds that one radius takes for each voxel of the small map: three times its transform, for all that is done beside."""
    noise = np.random.default_rng(0).normal(size=(64,) * 3).astype(np.float32)
    return 3 * seconds(lambda: scipy.fft.irfftn(scipy.fft.rfftn(noise), noise.shape), budget_s=0.1) / noise.size

"""Resolution by place and by direction."""

from __future__ import annotations

from itertools import product

import numpy as np

from engine.data import Curve
from engine.devices import Work
from engine.faults import EngineError
from engine.kernels.local_fsc import Cones, cut, directions, local_shell, overlap, window_of
from engine.kernels.sharpen import randomised, resolved_A
from engine.kinds.postprocess.form import Directional, Local, window_A

LEAST_WEIGHT = 1e-3
"""Sum of windows below which a voxel has no local resolution."""


def local_resolution(
    a: np.ndarray, b: np.ndarray, mask: np.ndarray, form: Local, pixel_size_A: float, seed: int, work: Work
) -> np.ndarray:
    """The resolution in A at each voxel, (n, n, n) float32; 0 where no window reached.

    A soft ball is set on a grid of centres inside the mask. In each the FSC of the half maps is corrected by that of maps with
    random phases, as for the whole map; where it falls below 0.143 is the resolution there, interpolated between shells.
    A window is transformed in the smallest box that holds it, so its shells are coarser than the map's. A voxel gets the
    windows' 1 / resolution, averaged with their weights (RELION's way).
    """
    box_px = a.shape[-1]
    radius_A, edge_A = window_A(form)
    window = window_of(radius_A / pixel_size_A, edge_A / pixel_size_A)
    small_px = window.shape[-1]
    centres = grid(mask, form.sampling_A / pixel_size_A)
    if not centres:
        raise EngineError(
            "local: no window's centre lies inside the mask (make sampling_A smaller, or the mask larger)"
        )
    first = max(1, int(box_px * pixel_size_A / form.randomise_from_A + 1e-9))
    randoms = [randomised(x, first, np.random.default_rng([seed, number])) for number, x in ((3, a), (4, b))]

    def at(centre: tuple[int, int, int]) -> float:
        halves = [cut(x, centre, small_px) for x in (a, b)]
        noise = [cut(x, centre, small_px) for x in randoms]
        shell = local_shell(halves, noise, window, 0.143, first * small_px / box_px)
        return max(shell / (small_px * pixel_size_A), 1 / form.lowest_A)

    total, weight = np.zeros((2, *a.shape))
    for number, (centre, finesse) in enumerate(zip(centres, work.map(at, centres), strict=True), 1):
        inside, within = overlap(a.shape, centre, small_px)
        total[within] += finesse * window[inside]
        weight[within] += window[inside]
        work.progress(number, len(centres))
    found = np.divide(weight, total, out=np.zeros_like(weight), where=weight > LEAST_WEIGHT)
    return found.astype(np.float32)


def grid(mask: np.ndarray, step_px: float) -> list[tuple[int, int, int]]:
    """Voxels zyx inside the mask, on a cubic grid through the box centre n // 2."""
    n = mask.shape[-1]
    step = max(1, round(step_px))
    axis = range((n // 2) % step, n, step)
    return [(z, y, x) for z, y, x in product(axis, repeat=3) if mask[z, y, x] > 0.5]


def by_direction(
    a: np.ndarray, b: np.ndarray, mask: np.ndarray, form: Directional, pixel_size_A: float, work: Work
) -> tuple[Curve, Curve]:
    """Least, median and greatest masked FSC over the cones at each shell, and the resolution at 0.143 along each direction.

    The masked FSC is not corrected: cones hold too few voxels of a shell for a second noisy curve.
    """
    box_px = a.shape[-1]
    cones, vectors = Cones(a, b, mask), directions(form.directions)
    curves = []
    for curve in work.map(lambda vector: cones.fsc(vector, form.half_angle_deg), list(vectors)):
        curves.append(curve)
        work.progress(len(curves), len(vectors))
    shell = np.arange(box_px // 2 + 1, dtype=np.float64)
    resolution = np.divide(box_px * pixel_size_A, shell, out=np.zeros_like(shell), where=shell > 0)
    spread = {
        "fsc_least": np.min(curves, axis=0),
        "fsc_median": np.median(curves, axis=0),
        "fsc_greatest": np.max(curves, axis=0),
    }
    # where nothing is resolved at all, the box itself is the finest thing that can be said
    found = [min(resolved_A(curve, 0.143, box_px, pixel_size_A), box_px * pixel_size_A) for curve in curves]
    x, y, z = vectors.T
    notes: dict[str, str | float | bool] = {"half_angle_deg": form.half_angle_deg, "directions": form.directions}
    along = Curve(
        {"number": np.arange(1.0, len(x) + 1), "x": x, "y": y, "z": z, "resolution_A": np.array(found)}, notes
    )
    return Curve({"shell_fpx": shell, "resolution_A": resolution, **spread}, notes), along

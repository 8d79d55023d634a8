"""The one place where the engine's own code is called: the kernel's search, a whole particle, and the naive engines.

Another search of the engine joins as one more `Contestant` of `searches`, with the operations its orientation takes.
"""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from engine.bench.cases import HIGHPASS_FPX, WEDGE, Case, Scene
from engine.bench.clock import Contestant
from engine.bench.naive import Problem, globally_normalised, locally_normalised, problem
from engine.kernels import average, bank, correlate, quick
from engine.kernels.fourier import EDGE_FPX, spectrum_block
from engine.kernels.mask import support_px
from engine.kinds.alignment.iterate import search_plan
from engine.kinds.alignment.particle import Matter, Member, Plan, align_one, prepared
from engine.kinds.form import Azimuth, Bandpass, Cone, Round, Shifts
from engine.kinds.polish import Pose
from engine.kinds.region import Region

KERNEL, LOCAL, GLOBAL, SGEMM = "kernel", "naive, local norm", "naive, global norm", "sgemm"
HALF_KERNEL, HALF_BANK = "kernel, half band, 3³ shifts", "bank, half band, 3³ shifts"

FEW_SHIFTS, MANY_ROTATIONS = 3, 1000
"""Samples on a side of the window, and rotations, of the bank's contest: what a bank is for."""

START_ERROR_DEG = 4.0
"""How far at most a whole particle starts from its true orientation, about each axis."""

FLOPS_A_POINT = 66
"""Additions and multiplications that sample the reference at a frequency: turning it 15, fractions and weights 10,
the complex value between eight neighbours 30, the norm 5, the product 6."""


@dataclass(frozen=True, eq=False)
class Arena:
    """A scene and what the engine prepares once for it."""

    scene: Scene
    matter: Matter
    support_px: float

    @property
    def case(self) -> Case:
        return self.scene.case

    @property
    def band(self) -> correlate.Band:
        return self.matter.bands[WEDGE]

    def with_window(self, window: int) -> Arena:
        """The same scene with another number of shifts to a side."""
        return replace(self, scene=replace(self.scene, case=replace(self.case, window=window)))


def arena(scene: Scene) -> Arena:
    """The spectra of the reference, the band, the small mask."""
    low = scene.case.lowpass_fpx
    matter = prepared(scene.reference, scene.mask, [WEDGE], HIGHPASS_FPX, low, int(low + EDGE_FPX))
    return Arena(scene, matter, support_px(scene.mask))


def local_plan(cone_deg: float, azimuth_deg: float, step_deg: float, lowpass_fpx: float) -> Plan:
    """The fast search of these full apertures."""
    cone = Cone(range_deg=cone_deg, step_deg=step_deg)
    azimuth = Azimuth(range_deg=azimuth_deg, step_deg=step_deg)
    return search_plan(Round(cone=cone, azimuth=azimuth, bandpass=Bandpass(lowpass_fpx=lowpass_fpx)))


def kernel(where: Arena, n_rotations: int) -> Contestant:
    """The search of one particle over the whole window for each of so many rotations."""
    samples = np.ones((where.case.window,) * 3, dtype=bool)
    return gather(KERNEL, where, where.band, samples, n_rotations)


def gather(name: str, where: Arena, selection: correlate.Band, samples: np.ndarray, n_rotations: int) -> Contestant:
    """The compiled search on a band over the samples of a window."""
    window = correlate.window(selection, correlate.shift_step_px(selection), samples)
    particle, energy = particle_of(where, selection)
    rotations = near(where.scene.rotations[0], n_rotations)

    def run() -> Any:
        return quick.search(where.matter.template, selection, particle, energy, rotations, window)

    return Contestant(name, run, n_rotations, flops_an_orientation(selection, samples.shape[0]))


def shared_bank(where: Arena, selection: correlate.Band, samples: np.ndarray, n_rotations: int) -> Contestant:
    """The bank for a group of particles, made beforehand; its unit is an orientation of one particle."""
    window = correlate.window(selection, correlate.shift_step_px(selection), samples)
    particle, energy = particle_of(where, selection)
    made = bank.bank([where.matter.template], selection, near(where.scene.rotations[0], n_rotations))
    group = [bank.compared(particle, energy, 0, window)] * bank.GROUP
    weights = selection.weight[None]
    flops = 4.0 * len(selection.weight) * (samples.size + 1 / bank.GROUP)

    def run() -> Any:
        return bank.best_of_each(made, group, weights)

    return Contestant(HALF_BANK, run, n_rotations * bank.GROUP, flops)


def particle_of(where: Arena, selection: correlate.Band) -> tuple[Any, float]:
    """The first particle's coefficients on a band, weighted, and their energy."""
    return correlate.weighted(selection, spectrum_block(where.scene.particles[0], selection.block_reach))


def searches(where: Arena, n_rotations: int) -> list[Contestant]:
    """The engine's ways to score: the kernel; then it and the bank at half the band and few shifts, what a bank is for."""
    if not where.matter.half_bands:
        return [kernel(where, n_rotations)]
    samples = np.ones((FEW_SHIFTS,) * 3, dtype=bool)
    half = where.matter.half_bands[WEDGE]
    few = gather(HALF_KERNEL, where, half, samples, n_rotations)
    return [kernel(where, n_rotations), few, shared_bank(where, half, samples, MANY_ROTATIONS)]


def near(rotation: np.ndarray, n: int, most_deg: float = 12.0) -> np.ndarray:
    """(n, 3, 3) rotations, the first being the given one, the others up to most_deg from it about each axis."""
    vectors = np.random.default_rng(11).uniform(-most_deg, most_deg, size=(n, 3))
    vectors[0] = 0
    return np.asarray(rotation @ Rotation.from_rotvec(np.radians(vectors)).as_matrix())


def flops_an_orientation(selection: correlate.Band, size: int) -> float:
    """Additions and multiplications that an orientation needs in the kernel's way of computing.

    Sampling; then sums along kx and ky for half of the shifts, cosine and sine apart, the other half being their mirror
    images; then kz, of which only the real part is wanted. What is padded or recomputed does not count.
    """
    half = size // 2 + 1
    planes = selection.planes.astype(np.float64)
    along_x = 8.0 * half * planes[:, 2].sum()
    along_y = 12 * half * size * planes[:, 3].sum()
    along_z = 4.0 * size**3 * len(planes)
    return float(FLOPS_A_POINT * planes[:, 2].sum() + along_x + along_y + along_z)


def naive_engines(where: Arena, n_rotations: int) -> list[Contestant]:
    """The two naive engines on the same particle, in a window that reaches equally far in whole pixels."""
    scene = where.scene
    band = HIGHPASS_FPX, where.case.lowpass_fpx
    reach = max(1, int(where.case.reach_px))
    task = problem(scene.particles[0], scene.reference, scene.mask, WEDGE, band, reach)
    rotations = near(scene.rotations[0], n_rotations)

    def all_of(engine: Any, task: Problem) -> Any:
        return lambda: [engine(task, rotation) for rotation in rotations]

    return [
        Contestant(LOCAL, all_of(locally_normalised, task), n_rotations),
        Contestant(GLOBAL, all_of(globally_normalised, task), n_rotations),
    ]


@dataclass(eq=False)
class Whole:
    """Whole particles, as an iteration does them: transform, search, polish and exact cc; then the sum of them all.

    For the sum each is normalised under the turned mask and transformed again. parts_s collects the seconds of the three
    parts, a particle's share of every call.
    """

    where: Arena
    plan: Plan
    n_particles: int = 1

    def __post_init__(self) -> None:
        self.parts_s: list[tuple[float, float, float]] = []

    def __call__(self) -> list[Pose]:
        transform_s, align_s, poses = 0.0, 0.0, []
        for number in range(self.n_particles):
            start = time.process_time()
            block = spectrum_block(self.where.scene.particles[number], self.where.band.reach)
            between = time.process_time()
            poses.append(aligned(self.where, self.plan, block, number))
            transform_s, align_s = transform_s + between - start, align_s + time.process_time() - between
        start = time.process_time()
        average.sum_of(self.where.case.box_px, (self._placed(number, pose) for number, pose in enumerate(poses)))
        sum_s = time.process_time() - start
        self.parts_s.append((transform_s / len(poses), align_s / len(poses), sum_s / len(poses)))
        return poses

    def _placed(self, number: int, pose: Pose) -> average.Placed:
        box, mask = self.where.scene.particles[number], self.where.scene.mask
        pose_in_box = pose.rotation, pose.shift_xyz_px
        mean, deviation = quick.mean_and_deviation(box, mask, *pose_in_box, self.where.support_px)
        block = spectrum_block((box - mean) / deviation, (self.where.case.box_px - 1) // 2)
        return average.Placed(block, WEDGE, *pose_in_box)


def aligned(where: Arena, plan: Plan, block: Any, number: int = 0) -> Pose:
    """The pose found for a particle that starts a few degrees and up to half the window from the truth."""
    start = near(where.scene.rotations[number], 2, START_ERROR_DEG)[1]
    limits = Shifts(limits_xyz_px=(where.case.reach_px,) * 3, frame="box")
    region = Region(np.zeros(3), start, limits, where.case.box_px)
    return align_one(Member(block, WEDGE, start, np.zeros(3), region), where.matter, plan)


def memory_of_one(scene: Scene, plan: Plan) -> int:
    """The most bytes held in arrays while the engine prepares a reference and does one whole particle.

    Not counted: the scene itself, and what the engine keeps between particles once it has done one.
    """
    tracemalloc.start()
    try:
        Whole(arena(scene), plan)()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def matrix_product(side: int = 1024) -> Contestant:
    """A product of square float32 matrices, counted in operations: what the machine can do at best."""
    a, b = np.random.default_rng(0).standard_normal((2, side, side), dtype=np.float32)
    out = np.empty_like(a)
    return Contestant(SGEMM, lambda: np.matmul(a, b, out=out), 2.0 * side**3)

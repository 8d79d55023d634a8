"""What the two ways of searching cost: which is quicker is told from sizes alone, so that results repeat.

The gather (`quick.search`) takes one rotation of one particle at a time: it samples the reference at the particle's points
and sums over the window by separable Fourier sums. The bank (`bank`) samples once for all particles and multiplies matrices.

CPU: measured on one core of an AMD EPYC of family 25 (Zen 4; sgemm at 100 flop/ns), boxes of 64 and 192 with low-passes of 10
to 32, the shortest of three processor times. Gather: least squares over windows of 1 to 15 samples a side, within 24 % of each;
bank: `bank.best_of_each` over its flops, columns and maxima included; `bank.bank` over its coefficients; `own_frame.turned`
over its points. GPU: estimates from data sheets, an order of magnitude; nothing was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.kernels.bank import GROUP, ON_CPU, ON_GPU, Tiling, size_bytes


@dataclass(frozen=True)
class Rates:
    """Nanoseconds: sampling and weighing a point; a multiply-add of the Fourier sums; a coefficient of the bank; turning a
    point of a particle. Flops of the matrix product in a nanosecond. And the tiles of a bank.
    """

    sample_ns: float
    sum_ns: float
    build_ns: float
    turn_ns: float
    product_per_ns: float
    tiling: Tiling


CPU = Rates(sample_ns=5.5, sum_ns=0.021, build_ns=35.0, turn_ns=200.0, product_per_ns=65.0, tiling=ON_CPU)
GPU = Rates(sample_ns=0.02, sum_ns=0.0005, build_ns=0.2, turn_ns=1.0, product_per_ns=25_000.0, tiling=ON_GPU)


@dataclass(frozen=True)
class Sizes:
    """Of one level of a search: points with the wedge and without, the band's reach, the window's sides and allowed samples,
    rotations, and particles.
    """

    n_points: int
    n_ball: int
    reach: int
    sides_zyx: tuple[int, int, int]
    n_shifts: int
    n_rotations: int
    n_particles: int


def gather_seconds(sizes: Sizes, rates: Rates = CPU) -> float:
    """Seconds for one particle, one rotation after the other."""
    size_z, size_y, size_x = sizes.sides_zyx
    rows = 2 * sizes.reach + 1
    along_x = 2 * sizes.n_points * size_x
    along_y = 2 * 0.8 * rows**2 * size_y * size_x  # the ball's shadow is 0.8 of its square
    along_z = 2 * rows * size_z * size_y * size_x
    sums_ns = rates.sum_ns * (along_x + along_y + along_z)
    return 1e-9 * sizes.n_rotations * (rates.sample_ns * sizes.n_points + sums_ns)


def bank_seconds(sizes: Sizes, is_turned: bool, rates: Rates = CPU) -> float:
    """Seconds for one particle, its share of the bank included. is_turned: in frames of their own."""
    coefficients = sizes.n_rotations * sizes.n_ball
    is_kept = size_bytes(sizes.n_rotations, sizes.n_ball) <= rates.tiling.memory_bytes
    sharing = max(1, sizes.n_particles if is_kept else min(GROUP, sizes.n_particles))
    columns = sizes.n_shifts + (1 if is_turned else 0)  # the norms are a column of their own
    product_ns = 4 * coefficients * columns / rates.product_per_ns
    turn_ns = rates.turn_ns * sizes.n_ball if is_turned else 0.0
    return 1e-9 * (product_ns + turn_ns + rates.build_ns * coefficients / sharing)


def bank_is_quicker(sizes: Sizes, is_turned: bool, on_gpu: bool = False) -> bool:
    """Whether the bank takes less time than the gather."""
    rates = GPU if on_gpu else CPU
    return bank_seconds(sizes, is_turned, rates) < gather_seconds(sizes, rates)

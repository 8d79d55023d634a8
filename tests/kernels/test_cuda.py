"""The GPU's kernels without a GPU: the source compiles for the cards; run on the CPU, it gives what the array code gives."""

import shutil
import subprocess
from types import SimpleNamespace
from unittest import mock

import cuda_shim
import numpy as np
import pytest

from engine.geometry import euler
from engine.kernels import average, correlate, cuda, reference
from engine.kernels.fourier import spectrum_block
from engine.kernels.wedge import Wedge

SHARED_BYTES = 227 * 1024
"""What a block may ask for on sm_90."""

VARIANTS = [(2, 1, 0), (8, 4, 0), (8, 4, 1), (16, 8, 0)]


@pytest.mark.parametrize(("slots", "rows", "half"), VARIANTS)
@pytest.mark.parametrize("card", ["80", "90"])
def test_the_source_compiles_for_the_cards(card, slots, rows, half, tmp_path):
    options = ("-std=c++17", f"-DSLOTS={slots}", f"-DROWS={rows}", f"-DHALF_TABLE={half}")
    if shutil.which("nvcc"):
        source, cubin = tmp_path / "score.cu", tmp_path / "score.cubin"
        source.write_text(cuda.source(), encoding="utf-8")
        command = ["nvcc", *options, f"-arch=sm_{card}", "-cubin", "-Werror", "all-warnings"]
        done = subprocess.run([*command, "-o", str(cubin), str(source)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert cubin.stat().st_size > 1000
    else:
        nvrtc = pytest.importorskip("cupy", reason="neither nvcc on PATH nor CuPy's NVRTC").cuda.nvrtc
        program = nvrtc.createProgram(cuda.source(), "score.cu", [], [])
        try:
            nvrtc.compileProgram(program, (*options, f"--gpu-architecture=sm_{card}"))
        except nvrtc.NVRTCError:
            pytest.fail(nvrtc.getProgramLog(program))
        finally:
            nvrtc.destroyProgram(program)


class Recorder:
    """Stands where CuPy stands: remembers what it was asked to compile and to run."""

    def __init__(self):
        self.compiled, self.run = [], []
        self.cuda = SimpleNamespace(Device=lambda: SimpleNamespace(id=0))

    def RawModule(self, code, options):
        self.compiled.append(options)
        kernel = mock.Mock(
            max_dynamic_shared_size_bytes=48 * 1024, side_effect=lambda *_, **more: self.run.append(more)
        )
        return SimpleNamespace(get_function=lambda name: kernel if f"{name}(" in code else None)


def test_a_kernel_is_compiled_once_and_may_use_the_shared_memory_it_asks_for():
    cupy = Recorder()
    for shared in (1000, 60_000, 50_000):
        cuda.launch(cupy, "search", ("-DSLOTS=2",), (3, 1), 256, shared, np.float32(1))
    assert cupy.compiled == [("-std=c++17", "-DSLOTS=2")]
    assert cupy.run == [{"shared_mem": 1000}, {"shared_mem": 60_000}, {"shared_mem": 50_000}]
    assert cuda._kernel(cupy, 0, "search", ("-DSLOTS=2",)).max_dynamic_shared_size_bytes == 60_000


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    if not shutil.which("g++"):
        pytest.skip("no g++ on PATH to compile the kernels for the CPU")
    return cuda_shim.Shim(tmp_path_factory.mktemp("cuda"))


@pytest.fixture
def shim(compiled, monkeypatch):
    compiled.stride, compiled.calls = 1, []
    monkeypatch.setattr(cuda, "launch", compiled.launch)
    monkeypatch.setattr(cuda, "shared_limit", lambda *_: SHARED_BYTES)
    return compiled


def scene(n, low, wedge, sides=(3, 3, 3), n_rotations=6):
    """Noise against noise: table, band, particle, energy, rotations, and a window with holes."""
    generator = np.random.default_rng(n)
    selection = correlate.band(n, 2, low, wedge)
    volume, box = generator.normal(size=(2, n, n, n)).astype(np.float32)
    table = reference.spectrum_table(volume, selection.reach)
    weighted, energy = correlate.weighted(selection, spectrum_block(box, selection.reach))
    allowed = generator.uniform(size=sides) < 0.7
    allowed[tuple(side // 2 for side in sides)] = True
    window = correlate.window(selection, 1.3, allowed)
    rotations = np.concatenate([np.eye(3)[None], euler.matrices(euler.random(n_rotations - 1, generator))])
    return table, selection, weighted, energy, rotations, window


WEDGES = [Wedge(0), Wedge(1, (-60, 60)), Wedge(2, x_range_deg=(-40, 60))]


@pytest.mark.parametrize(
    ("n", "low", "sides"),
    [(24, 8, (5, 7, 9)), (17, 6, (1, 3, 1)), (16, 12, (3, 1, 17)), (20, 5, (15, 15, 15)), (16, 5, (1, 31, 31))],
)
@pytest.mark.parametrize("wedge", WEDGES, ids=str)
def test_the_search_equals_the_array_search(shim, n, low, sides, wedge):
    asked = scene(n, low, wedge, sides)
    slow_cc, slow_place = correlate.best_of_each(*asked)
    cc, place = cuda.best_of_each(*asked)
    np.testing.assert_allclose(cc, slow_cc, atol=1e-5)
    np.testing.assert_array_equal(place, slow_place)
    assert shim.calls == ["search"]
    assert (cc.dtype, place.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("stride", [-1, 37])
def test_the_order_in_which_threads_run_changes_no_bit(shim, stride):
    asked = scene(20, 7, WEDGES[1], (5, 7, 5))
    half = spectrum_block(np.random.default_rng(1).normal(size=(20,) * 3).astype(np.float32), 9)

    def everything():
        total = average.empty_sum(20)
        total = cuda.inserted(total, average.Placed(half, WEDGES[1], asked[4][1], np.array([1.5, -0.25, 2])))
        return *cuda.best_of_each(*asked), cuda.slopes(*asked[:5]), total.values, total.weights

    forwards = everything()
    shim.stride = stride
    for one, other in zip(forwards, everything(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_first_among_equals_wins(shim):
    table, selection, particle, energy, rotations, _ = scene(16, 5, Wedge(0))
    still = correlate.window(selection, 0.0, np.ones((3, 3, 3), dtype=bool))  # every sample is the same
    still.allowed[0, 0, :2] = False
    asked = table, selection, particle, energy, rotations, still
    np.testing.assert_array_equal(cuda.best_of_each(*asked)[1], 2)
    np.testing.assert_array_equal(correlate.best_of_each(*asked)[1], 2)


def test_a_window_with_nothing_allowed_gives_what_the_array_code_gives(shim):
    *asked, window = scene(16, 5, Wedge(0))
    window.allowed[:] = False
    for one, other in zip(cuda.best_of_each(*asked, window), correlate.best_of_each(*asked, window), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sides", [(1, 1, 33), (1, 33, 1), (65, 31, 31)])
def test_a_window_that_does_not_fit_goes_to_the_array_code(shim, sides):
    asked = scene(16, 5, Wedge(0), sides, n_rotations=2)
    for one, other in zip(cuda.best_of_each(*asked), correlate.best_of_each(*asked), strict=True):
        np.testing.assert_array_equal(one, other)
    assert shim.calls == []


def test_the_largest_usual_search_leaves_room_for_two_blocks_on_a_multiprocessor():
    assert cuda.shared_bytes(34, (15, 15, 15)) < SHARED_BYTES // 2  # low-pass 32, shifts of 7 samples


def test_no_rotations_give_no_answers(shim):
    table, selection, particle, energy, _, window = scene(16, 5, Wedge(0))
    none = np.zeros((0, 3, 3))
    assert [len(part) for part in cuda.best_of_each(table, selection, particle, energy, none, window)] == [0, 0]
    assert cuda.slopes(table, selection, particle, energy, none).shape == (0, 10)


@pytest.mark.parametrize("wedge", WEDGES, ids=str)
def test_half_precision_changes_a_cc_by_less_than_5e_5(shim, wedge):
    asked = scene(24, 8, wedge, (5, 5, 5), n_rotations=20)
    exact_cc, _ = correlate.best_of_each(*asked)
    cc, _ = cuda.screened(*asked)
    error = np.abs(cc - exact_cc).max()
    print(f"float16 table: CC off by {error:.1e} at most")
    assert 0 < error < 5e-5


def test_half_precision_takes_a_reference_of_any_size(shim):
    table, *rest = scene(16, 5, Wedge(0))
    cc, place = cuda.screened(table, *rest)
    for factor in (1e-8, 1e8):
        other = reference.SpectrumTable(table.values * np.float32(factor), table.scale, table.reach)
        scaled_cc, scaled_place = cuda.screened(other, *rest)
        np.testing.assert_allclose(scaled_cc, cc, atol=1e-3)
        np.testing.assert_array_equal(scaled_place, place)


@pytest.mark.parametrize("wedge", WEDGES, ids=str)
def test_slopes_equal_the_array_slopes(shim, wedge):
    *asked, _ = scene(24, 8, wedge)
    slow, fast = correlate.slopes(*asked), cuda.slopes(*asked)
    size = np.abs(slow).max(axis=0)
    np.testing.assert_allclose(fast / size, slow / size, atol=1e-5)
    assert fast.dtype == np.float64


def test_slopes_are_the_derivatives_of_the_cc():
    table, selection, particle, energy, rotations, _ = scene(24, 8, WEDGES[1])

    def cc(shift):
        return correlate.slopes(table, selection, correlate.shifted(selection, particle, shift), energy, rotations)

    here, d, unit = cc(np.zeros(3)), 0.02, np.eye(3)
    point = correlate.window(selection, 1.0, np.ones((1, 1, 1), dtype=bool))
    np.testing.assert_allclose(
        here[:, 0], correlate.best_of_each(table, selection, particle, energy, rotations, point)[0], atol=1e-6
    )
    for axis in range(3):
        difference = (cc(d * unit[axis]) - cc(-d * unit[axis])) / (2 * d)
        np.testing.assert_allclose(here[:, 1 + axis], difference[:, 0], atol=2e-4)
        for column, pair in enumerate(correlate.SECOND):
            if axis in pair:
                other = pair[1] if pair[0] == axis else pair[0]
                np.testing.assert_allclose(here[:, 4 + column], difference[:, 1 + other], atol=1e-3)


@pytest.mark.parametrize("n", [16, 17])
@pytest.mark.parametrize("wedge", WEDGES, ids=str)
def test_an_inserted_particle_equals_the_array_insertion(shim, n, wedge):
    generator = np.random.default_rng(n)
    fast = slow = average.empty_sum(n)
    for angles in euler.random(3, generator):
        half = spectrum_block(generator.normal(size=(n,) * 3).astype(np.float32), 7)
        pose = euler.matrices(angles), generator.uniform(-3, 3, 3)
        placed = average.Placed(half, wedge, *pose)
        fast, slow = cuda.inserted(fast, placed), average.inserted(slow, placed)
    np.testing.assert_allclose(fast.values, slow.values, atol=2e-6 * np.abs(slow.values).max())
    np.testing.assert_allclose(fast.weights, slow.weights, atol=2e-6)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_insertion_keeps_all_digits_whatever_the_size_of_the_numbers(shim, size):
    half = spectrum_block(np.random.default_rng(2).normal(size=(16,) * 3).astype(np.float32), 7)
    turned = euler.matrices([20, 70, -130]), np.array([1.0, -2, 0.5])
    one = cuda.inserted(average.empty_sum(16), average.Placed(half, Wedge(0), *turned))
    other = cuda.inserted(average.empty_sum(16), average.Placed(half * np.float32(size), Wedge(0), *turned))
    np.testing.assert_allclose(other.values / size, one.values, atol=1e-6 * np.abs(one.values).max())


def test_inserting_changes_nothing_it_was_given(shim):
    half = spectrum_block(np.random.default_rng(2).normal(size=(16,) * 3).astype(np.float32), 7)
    empty = average.empty_sum(16)
    cuda.inserted(empty, average.Placed(half, Wedge(0), np.eye(3), np.zeros(3)))
    assert not empty.values.any()
    assert not empty.weights.any()


def test_an_empty_particle_adds_its_weights_alone(shim):
    total = cuda.inserted(
        average.empty_sum(16), average.Placed(np.zeros((15, 15, 8), np.complex64), Wedge(0), np.eye(3), np.zeros(3))
    )
    assert not total.values.any()
    assert total.weights.any()


def test_a_particle_that_is_not_finite_shows(shim):
    half = np.full((15, 15, 8), np.nan, dtype=np.complex64)
    total = cuda.inserted(average.empty_sum(16), average.Placed(half, Wedge(0), np.eye(3), np.zeros(3)))
    assert np.isnan(total.values).any()

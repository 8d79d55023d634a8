"""The compiled checksum against libhdf5's own."""

import h5py
import numpy as np
import pytest

from engine.kernels.compiled.checksum import fletcher32


def of_libhdf5(values: np.ndarray) -> int:
    with h5py.File("image", "w", driver="core", backing_store=False) as file:
        made = file.create_dataset("values", data=values, chunks=values.shape, fletcher32=True)
        _, stored = made.id.read_direct_chunk((0,) * values.ndim)
    assert stored[:-4] == values.tobytes()
    return int.from_bytes(stored[-4:], "little")


@pytest.mark.parametrize("n", [1, 2, 127, 128, 129, 1000, 4096, 100_003])
def test_it_is_libhdf5s(n: int) -> None:
    generator = np.random.default_rng(n)
    assert fletcher32(values := generator.normal(size=n).astype(np.float32)) == of_libhdf5(values)
    assert fletcher32(values := generator.integers(0, 2**16, size=n, dtype=np.uint16)) == of_libhdf5(values)


@pytest.mark.parametrize("word", [0, 1, 255, 256, 32768, 65534, 65535])
@pytest.mark.parametrize("n", [1, 255, 256, 257, 65535, 65536])
def test_words_that_leave_no_remainder(word: int, n: int) -> None:
    values = np.full(n, word, dtype=np.uint16)
    assert fletcher32(values) == of_libhdf5(values)

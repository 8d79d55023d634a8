"""Every layout that was ever released stays readable: one small archive of each, written by the version that had it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from engine.data import Curve, Table, Volume
from engine.store import Store

LAYOUTS = Path(__file__).parent / "layouts"


@pytest.mark.parametrize("layout", [2, 3])
def test_a_layout_reads_as_it_was_written(layout):
    store = Store(LAYOUTS / f"layout_{layout}")
    facts = store.facts("half_even/ite_0003")
    assert (facts.layout, facts.kind, facts.labels) == (layout, "alignment", {"ite": 3, "round": 2, "half": "even"})
    table = store.read("half_even/ite_0003", "table")
    assert isinstance(table, Table)
    assert table.tags.tolist() == [2, 4, 6]
    np.testing.assert_array_equal(table["cc"], [0.25, 0.5, 0.75])
    assert set(table["half"]) == {2}
    average = store.read("half_even/ite_0003", "refs/001/average")
    assert isinstance(average, Volume)
    np.testing.assert_array_equal(average.data, np.arange(4**3, dtype=np.float32).reshape(4, 4, 4))
    assert average.pixel_size_A == 1.35
    curve = store.read("half_even/ite_0003", "refs/001/fsc")
    assert isinstance(curve, Curve)
    np.testing.assert_array_equal(curve["fsc"], [1, 0.5, 0.125])
    assert curve.notes == {"gold_standard": False}
    np.testing.assert_array_equal(store.read("half_even/ite_0003", "refs/001/fourier_weight"), np.ones((4, 4, 3)))
    assert store.read("half_even/ite_0003", "summary") == {"mean cc": 0.5}
    boxes = store.read("particles", "particles")
    assert boxes.tags.tolist() == [7, 9]
    np.testing.assert_array_equal(boxes.read(9), np.full((4, 4, 4), 2))
    items = store.items("half_even/ite_0003")
    assert {path: (one.what, one.shape) for path, one in items.items()} == {
        "refs/001/average": ("volume", (4, 4, 4)),
        "refs/001/fourier_weight": ("array", (4, 4, 3)),
        "refs/001/fsc": ("curve", (3, 2)),
        "summary": ("summary", (1,)),
        "table": ("table", items["table"].shape),
    }
    assert items["refs/001/average"].pixel_size_A == 1.35
    assert (items["refs/001/fsc"].notes, items["summary"].notes) == ({"gold_standard": False}, {"mean cc": 0.5})
    assert "its key is not" in store.damage("particles")  # the archive's keys are made up, and nothing else is wrong


def test_newer_layouts_tell_of_themselves_without_hdf5(monkeypatch):
    monkeypatch.setitem(sys.modules, "engine.store.reading", None)
    store = Store(LAYOUTS / "layout_3")
    assert store.facts("particles").step == "particles"
    assert store.particle_facts("particles", "particles") == (2, 4, 1.35)
    with pytest.raises(ImportError):
        Store(LAYOUTS / "layout_2").facts("particles")

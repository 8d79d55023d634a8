"""References that can have nothing to swap: their tables share no particle."""

import memory
import numpy as np
import pytest

from engine.data import Table
from engine.faults import EngineError
from engine.kinds.alignment.classes import are_strangers


def test_tables_are_strangers_where_no_particle_stands_in_two_of_them():
    whole = Table.blank(6)
    first, second = whole.where(whole.tags <= 3), whole.where(whole.tags > 3)
    assert are_strangers([first, second])
    assert not are_strangers([first, whole.where(whole.tags >= 3)])
    assert not are_strangers([whole])


def align(given, is_swapping):
    data = {"particles": "p:particles", "table": ["p:one", "p:two"], "template": ["p:map", "p:other"]}
    settings = {"cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}, "bandpass": {"lowpass_fpx": 5}}
    return memory.run("alignment", {"data": data, "rounds": [{**settings, "swap_references": is_swapping}]}, given)


def test_a_swap_among_strangers_is_a_fault_and_no_stable_classes():
    made = memory.run("phantom", {"boxes": {"count": 6, "box_px": 20}, "object": {"radius_px": 6}})["phantom"]
    table = made["table"]
    given = {"p:particles": made["particles"], "p:map": made["template"], "p:other": made["object"]}
    given |= {"p:one": table.where(table.tags <= 3), "p:two": table.where(table.tags > 3)}
    with pytest.raises(EngineError, match="no particle stands in two of the tables"):
        align(given, is_swapping=True)
    apart = align(given, is_swapping=False)["ite_0001"]
    np.testing.assert_array_equal(apart["refs/002/table"].tags, [4, 5, 6])

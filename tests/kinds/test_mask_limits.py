"""Masks at their limits: edges wider than the box, maps without contrast, files in which nothing is."""

import memory
import numpy as np
import pytest

from engine.data import Volume
from engine.faults import EngineError
from engine.kinds import mask

N = 24


def faults(**form):
    project = mask.Project.model_validate({"data": {"box_px": N, "pixel_size_A": 2.0}, "mask": form})
    return [(".".join(map(str, fault.key)), fault.what) for fault in mask.check(project, None)]


@pytest.mark.parametrize(("edge", "key"), [({"edge_px": 500.0}, "mask.edge_px"), ({"edge_A": 500.0}, "mask.edge_A")])
def test_an_edge_wider_than_half_the_box_is_a_fault(edge, key):
    ((found, what),) = faults(shape="sphere", radius_px=5.0, **edge)
    assert found == key
    assert "wider than half the box of 24 px" in what
    assert faults(shape="sphere", radius_px=5.0, edge_px=6.0) == []


def made(form, volume):
    values = {"data": {"map": "m.mrc"}, "mask": form}
    return memory.run("mask", values, {"m.mrc": Volume(volume, 2.0)})["mask"]


def test_a_map_that_is_one_value_is_refused_as_such():
    with pytest.raises(EngineError, match=r"m.mrc is 3 everywhere.*give another map"):
        made({"from_map": "m.mrc", "threshold_sigma": 2.0}, np.full((N,) * 3, 3, np.float32))


def test_a_file_in_which_nothing_is_is_named():
    with pytest.raises(EngineError, match=r"the mask m.mrc is empty .*give another"):
        made("m.mrc", np.zeros((N,) * 3, np.float32))

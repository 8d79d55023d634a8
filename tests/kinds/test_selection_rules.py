"""Dynamo's thresholds on tables made by hand, with the numbers that MATLAB would give."""

import numpy as np
import pytest

from engine.data import Table
from engine.kinds.alignment.select import select
from engine.kinds.form import Select


def table(*cc):
    return Table.blank(len(cc), tag=np.arange(1, len(cc) + 1), cc=np.array(cc), aligned=1, averaged=1, tomo=1)


def test_the_deviation_is_that_of_a_sample():
    """MATLAB: std([0 .4 .6 1]) = 0.4163, so mean + 0.26 std = 0.608; over n it would be 0.594, and 0.6 would survive."""
    chosen = select(table(0, 0.4, 0.6, 1), Select(rule="cc-above-mean-plus-std", value=0.26))
    assert chosen["averaged"].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("all", 0.2),
        ("cc-above", 0.2),
        ("cc-above-mean-times", 0.9),
        ("cc-above-mean-plus-std", 0.0),
        ("best-count", 5.0),
        ("best-fraction", 0.01),
    ],
)
def test_one_particle_survives_what_it_meets_itself(rule, value):
    assert select(table(0.5), Select(rule=rule, value=value))["averaged"].tolist() == [1]

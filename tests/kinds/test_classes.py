"""Who belongs to which reference: the tables alone."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.data import Table
from engine.faults import EngineError
from engine.kinds.alignment import classes
from engine.kinds.alignment.several import selected
from engine.kinds.form import Round


def two(first=(), second=(), **columns):
    """The candidates of two references for four particles, cc given for each."""
    table = Table.blank(4, **columns)
    return [table.with_columns(cc=first, ref=1), table.with_columns(cc=second, ref=2)]


def scores(tables):
    return [np.where(table["aligned"] == 1, table["cc"], -np.inf) for table in tables]


def test_each_particle_goes_where_its_cc_is_highest_and_among_equals_to_the_first():
    tables = classes.assigned(tables := two([0.3, 0.1, 0.2, 0.4], [0.2, 0.3, 0.2, 0.5]), scores(tables))
    for table in tables:
        np.testing.assert_array_equal(table["ref"], [1, 2, 1, 2])
    np.testing.assert_array_equal(classes.joined(tables)["cc"], [0.3, 0.3, 0.2, 0.5])
    assert classes.have_competed(tables)


def test_who_is_not_aligned_stays_in_the_first_of_its_references():
    tables = two([0.1] * 4, [0.9] * 4, aligned=[1, 0, 1, 1])
    found = classes.assigned(tables, scores(tables))
    np.testing.assert_array_equal(found[0]["ref"], [2, 1, 2, 2])
    moved = classes.assigned([table.with_columns(ref=2) for table in tables], scores(tables))
    np.testing.assert_array_equal(moved[0]["ref"], [2, 2, 2, 2])


def test_a_particle_that_only_one_reference_has_goes_nowhere_else():
    first, second = two([0.1] * 4, [0.9] * 4)
    tables = [first, second.where(second.tags > 2)]
    first, second = classes.assigned(tables, scores(tables))
    np.testing.assert_array_equal(first["ref"], [1, 1, 2, 2])
    np.testing.assert_array_equal(second["ref"], [2, 2])


def test_what_is_dealt_is_even_and_goes_by_the_tags_and_the_seed():
    table = Table.blank(31, averaged=np.arange(31) % 2, aligned=np.arange(31) % 2)
    dealt = classes.dealt(table, 3, seed=1)
    _, counts = np.unique(dealt.where(dealt["aligned"] == 1)["ref"], return_counts=True)
    np.testing.assert_array_equal(counts, [5, 5, 5])
    turned = classes.dealt(table.sorted_by("tag", descending=True), 3, seed=1).sorted_by("tag")
    np.testing.assert_array_equal(turned["ref"], dealt["ref"])
    assert (classes.dealt(table, 3, seed=2)["ref"] != dealt["ref"]).any()
    with pytest.raises(EngineError, match="15 particles cannot be dealt to 16 references"):
        classes.dealt(table, 16, seed=1)


def chosen(tables, is_classified=True, **settings):
    here = SimpleNamespace(settings=SimpleNamespace(round=Round(bandpass={"lowpass_fpx": 8}, **settings)))
    return selected(here, tables, is_classified)


def test_the_rule_is_applied_to_each_reference_alone():
    tables = [table.with_columns(ref=[1, 1, 2, 2]) for table in two([0.1, 0.2, 0, 0], [0, 0, 0.8, 0.9])]
    first, second = chosen(tables, select={"rule": "best-fraction", "value": 0.5, "reject_from_alignment": True})
    np.testing.assert_array_equal(first["averaged"][:2], [0, 1])
    np.testing.assert_array_equal(second["averaged"][2:], [0, 1])
    for table in classes.agreed([first, second]):  # the rejected are aligned to no reference any more
        np.testing.assert_array_equal(table["aligned"], [0, 1, 0, 1])
    np.testing.assert_array_equal(classes.agreed([first, second])[0]["averaged"], [0, 1, 0, 0])


def test_a_rule_that_nobody_survives_names_the_reference():
    tables = [table.with_columns(ref=[1, 1, 2, 2]) for table in two([0.5, 0.5, 0, 0], [0, 0, 0.1, 0.1])]
    with pytest.raises(EngineError, match="no particle survives") as problem:
        chosen(tables, select={"rule": "cc-above", "value": 0.3})
    assert problem.value.__notes__ == ["of reference 2, which has 2 particles"]


def test_neighbours_are_told_apart_across_references():
    places = {"x": [10, 12, 50, 50], "y": [1, 1, 1, 30], "tomo": 1}
    tables = [table.with_columns(ref=[1, 2, 2, 1]) for table in two([0.4, 0, 0, 0.3], [0, 0.5, 0.2, 0], **places)]
    first, second = chosen(tables, separation_px=5.0)
    np.testing.assert_array_equal(classes.members(first, 1)["averaged"], [0, 1])
    np.testing.assert_array_equal(classes.members(second, 2)["averaged"], [1, 1])
    for number, table in enumerate(chosen(tables, is_classified=False, separation_px=5.0), start=1):
        assert classes.members(table, number)[
            "averaged"
        ].all()  # references that do not compete have no neighbours in common


def test_a_reference_that_loses_its_last_particle_to_a_neighbour_is_out():
    places = {"x": [10, 12, 50, 90], "tomo": 1}
    tables = [table.with_columns(ref=[1, 2, 2, 2]) for table in two([0.4, 0, 0, 0], [0, 0.5, 0.2, 0.3], **places)]
    assert classes.surviving(tables) == [1, 2]
    assert classes.surviving(chosen(tables, separation_px=5.0)) == [2]

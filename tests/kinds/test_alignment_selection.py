"""alignment: who is averaged, who is aligned again."""

import numpy as np
import pytest
from aligned import align, faults

from engine.data import ParticleArray, Table
from engine.devices import Work
from engine.faults import EngineError
from engine.kinds.alignment.select import select, select_again
from engine.kinds.form import Select


def test_selection_rules_keep_what_they_say():
    cc = [0.1, 0.5, 0.3, 0.2, 0.4]
    table = Table.blank(5, cc=cc)
    expected = {
        ("all", 0.2): [1, 1, 1, 1, 1],
        ("cc-above", 0.3): [0, 1, 1, 0, 1],
        ("cc-above-mean-times", 1.2): [0, 1, 0, 0, 1],
        ("cc-above-mean-plus-std", 1.0): [0, 1, 0, 0, 0],
        ("best-count", 2.0): [0, 1, 0, 0, 1],
        ("best-fraction", 0.6): [0, 1, 1, 0, 1],
    }
    for (rule, value), kept in expected.items():
        assert select(table, Select(rule=rule, value=value))["averaged"].tolist() == kept, rule
    hundred = Table.blank(100, cc=np.linspace(0, 1, 100))
    assert select(hundred, Select(rule="best-fraction", value=0.55))["averaged"].sum() == 55
    rejected = select(table, Select(rule="best-count", value=2.0, reject_from_alignment=True))
    assert rejected["aligned"].tolist() == [0, 1, 0, 0, 1]
    with pytest.raises(EngineError, match=r"best cc is 0\.5"):
        select(table, Select(rule="cc-above", value=0.9))


def test_those_who_were_rejected_from_alignment_stay_out_and_those_not_aligned_stay_as_they_are():
    table = Table.blank(6, cc=[0.9, 0.1, 0.2, 0.5, 0.6, 0.3], aligned=[1, 1, 1, 1, 1, 0], averaged=[1, 1, 1, 1, 1, 1])
    for rule, value, kept in (
        ("cc-above", 0.4, [1, 0, 0, 1, 1, 1]),
        ("cc-above-mean-times", 1.0, [1, 0, 0, 1, 1, 1]),
        ("cc-above-mean-plus-std", -1.0, [1, 0, 1, 1, 1, 1]),
        ("best-count", 1.0, [1, 0, 0, 0, 0, 1]),
        ("best-fraction", 0.4, [1, 0, 0, 0, 1, 1]),
    ):
        once = select(table, Select(rule=rule, value=value, reject_from_alignment=True))
        assert once["averaged"].tolist() == kept, rule
        assert once["aligned"].tolist() == [*kept[:5], 0], rule
        again = select(once, Select())
        assert again["averaged"].tolist() == kept, rule


def test_a_second_selection_is_among_the_survivors_of_the_first_by_cc2():
    table = Table.blank(6, cc2=[0.1, 0.4, 0.2, 0.3, 0.9, 0], aligned=[1, 1, 1, 1, 0, 1], averaged=[1, 1, 1, 1, 1, 0])
    for rule, value, kept in (
        ("cc-above", 0.25, [0, 1, 0, 1, 1, 0]),
        ("cc-above-mean-times", 0.8, [0, 1, 1, 1, 1, 0]),  # of the mean of four
        ("best-count", 1.0, [0, 1, 0, 0, 1, 0]),
    ):
        chosen = select_again(table, Select(rule=rule, value=value))
        assert chosen["averaged"].tolist() == kept, rule
        assert chosen["aligned"].tolist() == [1, 1, 1, 1, 0, 1]
    rejected = select_again(table, Select(rule="best-count", value=1.0, reject_from_alignment=True))
    assert rejected["aligned"].tolist() == [0, 1, 0, 0, 0, 1]
    with pytest.raises(EngineError, match=r"select_again: no particle .* best cc2 is 0\.100"):
        select_again(table.where(np.arange(6) == 0), Select(rule="cc-above", value=0.9))


def test_survivors_are_scored_against_their_own_average_and_only_the_best_are_averaged(phantom):
    noise = np.random.default_rng(3).normal(size=(4, 28, 28, 28)).astype(np.float32)
    boxes = phantom["phantom:particles"].boxes.copy()
    boxes[:4] = noise * boxes.std()
    given = {**phantom, "phantom:particles": ParticleArray(boxes, phantom["phantom:particles"].tags, 4.0)}
    first = {"select": {"rule": "best-count", "value": 22}}
    again = {**first, "select_again": {"rule": "best-count", "value": 20}}
    plain, made = (align(given, settings)["ite_0001"] for settings in (first, again))
    survived = plain["table"]["averaged"] == 1
    cc2 = made["table"]["cc2"]
    assert (cc2[survived] != 0).all()
    assert (cc2[~survived] == 0).all()
    best = set(made["table"].tags[np.argsort(-cc2)[:20]])
    assert set(made["table"].tags[made["table"]["averaged"] == 1]) == best
    assert made["summary"]["averaged"] == 20
    np.testing.assert_array_equal(made["table"]["cc"], plain["table"]["cc"])
    only = made["table"].with_columns(aligned=0)
    alone = align({**given, "phantom:table": only}, data={"template": None})["ite_0000"]["refs/001/average"]
    np.testing.assert_allclose(made["refs/001/average"].data, alone.data, atol=1e-4 * alone.data.max())


def test_a_second_rule_that_keeps_all_only_writes_cc2(phantom):
    plain, made = align(phantom)["ite_0001"], align(phantom, {"select_again": {"rule": "all"}})["ite_0001"]
    np.testing.assert_array_equal(made["refs/001/average"].data, plain["refs/001/average"].data)
    assert made["table"].with_columns(cc2=0).equals(plain["table"])
    assert np.corrcoef(made["table"]["cc2"], made["table"]["cc"])[0, 1] > 0.5
    other = align(phantom, {"select_again": {"rule": "all"}}, work=Work(2, (), 7))["ite_0001"]
    assert other["table"].equals(made["table"])


def test_a_selection_that_cannot_be_is_a_fault(phantom):
    table = phantom["phantom:table"]
    for name in ("select", "select_again"):
        for values, key, words in (
            ({"rule": "best-fraction", "value": 1.5}, "value", "between 0 and 1"),
            ({"rule": "best-count", "value": 2.5}, "value", "whole number"),
            ({"rule": "cc-above", "value": 20.0}, "value", "no cc lies above 20"),
            ({"rule": "all", "reject_from_alignment": True}, "reject_from_alignment", "rejects nothing"),
        ):
            ((found, what),) = faults(table, **{name: values})
            assert found == ("rounds", 0, name, key)
            assert words in what
    assert faults(table, select={"reject_from_alignment": True}, separation_px=3.0) == []


def test_of_particles_too_near_each_other_the_best_goes_on():
    table = Table.blank(
        5, x=[0, 3, 6, 0, 50], dx=[0, 0, 0, 1, 0], cc=[0.5, 0.9, 0.4, 0.3, 0.1], tomo=[1, 1, 1, 2, 1], y=0, z=0
    )
    assert select(table, Select(), separation_px=4)["averaged"].tolist() == [0, 1, 0, 1, 1]
    assert select(table, Select(), separation_px=3)["averaged"].tolist() == [1, 1, 1, 1, 1]
    chained = table.with_columns(cc=[0.9, 0.5, 0.4, 0.3, 0.1])
    assert select(chained, Select(), separation_px=4)["averaged"].tolist() == [1, 0, 1, 1, 1]

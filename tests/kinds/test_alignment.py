"""alignment: give back the move that was given; nothing about the machine changes the answer."""

import memory
import numpy as np
import pytest

from engine.data import Half, ParticleArray, ParticleFacts, Table, Volume, VolumeFacts
from engine.devices import Work
from engine.faults import EngineError
from engine.geometry import euler, symmetry
from engine.kernels import blobs
from engine.kinds import alignment, comparison
from engine.kinds.alignment.halves import n_shared
from engine.kinds.alignment.select import select, select_again
from engine.kinds.form import Select
from engine.kinds.halving import with_halves

PHANTOM = {
    "object": {"blobs": 40, "radius_px": 8},
    "boxes": {"count": 24, "box_px": 28, "snr": 0.3, "shift_px": 2},
    "start": {"angle_error_deg": 10, "shift_error_px": 2, "template_lowpass_fpx": 5},
}
ROUND = {
    "search": "grid",
    "cone": {"range_deg": 24, "step_deg": 8},
    "azimuth": {"range_deg": 24, "step_deg": 8},
    "refine": {"levels": 2},
    "shifts": {"limits_xyz_px": [4, 4, 4]},
    "bandpass": {"lowpass_fpx": 8},
}
DATA = {"particles": "phantom:particles", "table": "phantom:table", "template": "phantom:template"}


@pytest.fixture(scope="module")
def phantom():
    return memory.addresses("phantom", memory.run("phantom", PHANTOM)["phantom"])


def align(phantom, *rounds, work=None, data=None, **more):
    values = {"data": {**DATA, **(data or {})}, "rounds": [{**ROUND, **r} for r in rounds or ({},)], **more}
    values["data"] = {key: value for key, value in values["data"].items() if value is not None}
    return memory.run("alignment", values, phantom, work)


def errors(table, phantom):
    return comparison.pose_errors(table, phantom["phantom:truth"], "C1")


def test_disturbed_particles_are_found_again(phantom):
    made = align(phantom, {"iterations": 2})["ite_0002"]
    found = errors(made["table"], phantom)
    assert np.median(found["angle_deg"]) < 2.0
    assert np.median(found["shift_px"]) < 0.25
    assert made["summary"]["averaged"] == 24


@pytest.mark.parametrize("low", [8, 13])
def test_a_fast_search_lands_where_a_fine_grid_lands(phantom, low):
    template = {**phantom, "phantom:template": phantom["phantom:object"]}
    grid, fast = (
        align(template, {"search": kind, "refine": {"levels": levels}, "bandpass": {"lowpass_fpx": low}})["ite_0001"][
            "table"
        ]
        for kind, levels in (("grid", 6), ("fast", 4))
    )
    apart = euler.angular_distance_deg(euler.matrices(grid.angles), euler.matrices(fast.angles))
    assert np.median(apart) < 0.25  # the grid's own last step is 0.125 deg, on three axes
    assert np.median(np.linalg.norm(grid.shifts_xyz_px - fast.shifts_xyz_px, axis=1)) < 0.02
    assert fast["cc"].mean() > grid["cc"].mean() - 1e-3
    error, grid_error = (np.median(errors(table, phantom)["angle_deg"]) for table in (fast, grid))
    assert error < grid_error + 0.1


@pytest.mark.parametrize("work", [Work(1, (), 1), Work(2, (), 7)], ids=["one by one", "two workers"])
def test_a_fast_search_does_not_depend_on_chunks_and_workers(phantom, work):
    fast = {"search": "fast", "bandpass": {"lowpass_fpx": 13}}
    assert align(phantom, fast)["ite_0001"]["table"].equals(align(phantom, fast, work=work)["ite_0001"]["table"])


def test_a_fast_search_leaves_alone_what_is_not_searched(phantom):
    start = phantom["phantom:table"]
    azimuth_only = align(phantom, {"search": "fast", "cone": {"range_deg": 0}})["ite_0001"]["table"]
    np.testing.assert_allclose(euler.axes(azimuth_only.angles), euler.axes(start.angles), atol=1e-9)
    assert np.abs(azimuth_only["dnarot"]).max() > 1
    nothing = align(phantom, {"search": "fast", "cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}})["ite_0001"][
        "table"
    ]
    assert nothing["daxis"].max() < 1e-6
    assert np.abs(nothing["dnarot"]).max() < 1e-6


def test_without_a_template_the_average_of_the_table_is_the_first_reference(phantom):
    made = align(phantom, {"iterations": 2}, data={"template": None})
    assert np.median(errors(made["ite_0002"]["table"], phantom)["angle_deg"]) < np.median(
        errors(phantom["phantom:table"], phantom)["angle_deg"]
    )


@pytest.mark.parametrize("work", [Work(1, (), 1), Work(1, (), 7), Work(2, (), 1), Work(2, (), 7)], ids=repr)
def test_chunks_and_workers_do_not_change_a_bit(phantom, work):
    plain, other = align(phantom)["ite_0001"], align(phantom, work=work)["ite_0001"]
    assert plain["table"].equals(other["table"])
    for item in ("refs/001/average", "refs/001/average_symmetrized"):
        np.testing.assert_array_equal(plain[item].data, other[item].data)
    np.testing.assert_array_equal(plain["refs/001/fsc"]["fsc"], other["refs/001/fsc"]["fsc"])


def test_what_moved_is_written_into_the_table(phantom):
    table = align(phantom)["ite_0001"]["table"]
    start = phantom["phantom:table"]
    np.testing.assert_allclose(table["dshift"], np.linalg.norm(table.shifts_xyz_px - start.shifts_xyz_px, axis=1))
    np.testing.assert_allclose(table["daxis"], euler.axis_change_deg(start.angles, table.angles))
    np.testing.assert_allclose(table["dcc"], table["cc"])
    assert (table["cc"] > 0.2).all()
    assert (table["cc"] <= 1).all()


def test_rows_that_are_not_aligned_keep_their_pose(phantom):
    table = phantom["phantom:table"].with_columns(aligned=np.arange(24) % 2)
    made = align({**phantom, "phantom:table": table})["ite_0001"]["table"]
    kept = made.where(made["aligned"] == 0)
    np.testing.assert_array_equal(kept.angles, table.where(table["aligned"] == 0).angles)
    assert (kept["averaged"] == 1).all()


def offsets(table, origin):
    return np.linalg.norm(table.shifts_xyz_px - origin.shifts_xyz_px, axis=1)


def test_shift_origins_bound_the_shift_around_what_they_name(phantom):
    start = phantom["phantom:table"]

    def shifts(origin):
        return {"iterations": 2, "shifts": {"limits_xyz_px": [0.8, 0.8, 0.8], "origin": origin}}

    zero = start.with_poses(start.angles, np.zeros((24, 3)))
    box = align(phantom, shifts("box-centre"))
    assert offsets(box["ite_0002"]["table"], zero).max() <= 0.8 + 1e-9
    last = align(phantom, shifts("last-iteration"))
    for before, after in (("ite_0000", "ite_0001"), ("ite_0001", "ite_0002")):
        assert offsets(last[after]["table"], last[before]["table"]).max() <= 0.8 + 1e-9
    assert offsets(last["ite_0002"]["table"], start).max() > 0.8
    begun = align(phantom, shifts("last-iteration"), shifts("round-start"), shifts("project-start"))
    for ite in (3, 4):
        assert offsets(begun[f"ite_{ite:04d}"]["table"], begun["ite_0002"]["table"]).max() <= 0.8 + 1e-9
    for ite in (5, 6):
        assert offsets(begun[f"ite_{ite:04d}"]["table"], start).max() <= 0.8 + 1e-9


def test_unlimited_shifts_find_a_particle_anywhere_in_the_box(phantom):
    start = phantom["phantom:table"]
    far = phantom["phantom:truth"].with_poses(start.angles, np.zeros((24, 3)))
    rolled = ParticleArray(
        np.roll(phantom["phantom:particles"].boxes, (5, -6, 0), axis=(1, 2, 3)), phantom["phantom:particles"].tags, 4.0
    )
    given = {**phantom, "phantom:table": far, "phantom:particles": rolled}
    made = align(given, {"shifts": {"origin": "unlimited"}})["ite_0001"]["table"]
    true = phantom["phantom:truth"].shifts_xyz_px + [0, -6, 5]
    assert np.median(np.linalg.norm(made.shifts_xyz_px - true, axis=1)) < 0.6


@pytest.mark.parametrize("frame", ["particle", "box"])
def test_a_frozen_axis_is_the_particles_or_the_boxs(phantom, frame):
    made = align(phantom, {"shifts": {"limits_xyz_px": [3, 3, 0], "frame": frame}})["ite_0001"]["table"]
    start = phantom["phantom:table"]
    shifts = made.shifts_xyz_px
    if frame == "particle":
        shifts = np.einsum("nji,nj->ni", euler.matrices(start.angles), shifts)
    assert np.abs(shifts[:, 2]).max() < 1e-9
    assert np.abs(shifts[:, :2]).max() > 1


def test_halves_run_on_their_own_and_are_joined(phantom):
    made = align(phantom, data={"halves": "parity", "template": None})
    odd, even, both = (made[f"{folder}ite_0001"] for folder in ("half_odd/", "half_even/", ""))
    assert set(odd["table"].tags % 2) == {1}
    assert set(even["table"].tags % 2) == {0}
    assert both["table"].tags.tolist() == list(range(1, 25))
    assert both["refs/001/fsc"].notes["gold_standard"] is True
    assert not np.array_equal(
        made["half_odd/ite_0000"]["refs/001/average"].data, made["half_even/ite_0000"]["refs/001/average"].data
    )
    alone = align(
        {**phantom, "phantom:table": phantom["phantom:table"].where(np.arange(24) % 2 == 0)}, data={"template": None}
    )
    assert alone["ite_0001"]["table"].angles == pytest.approx(odd["table"].angles)


def test_halves_by_region_never_split_a_region_and_are_set_once():
    table = Table.blank(10, tomo=1, reg=[1, 1, 1, 2, 2, 3, 3, 3, 4, 4])
    halved = with_halves(table, "region")
    for region in (1, 2, 3, 4):
        assert len(set(halved["half"][table["reg"] == region])) == 1
    assert set(halved["half"]) == {Half.ODD, Half.EVEN}
    assert with_halves(halved, "parity").equals(halved)


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


def test_a_particle_in_both_halves_is_refused_and_counted(phantom):
    table = phantom["phantom:table"]
    far = table.with_columns(x=100.0 * np.arange(1, len(table) + 1), y=5, z=5, dx=0, dy=0, dz=0)
    crowded = far.with_columns(x=np.where(table.tags <= 4, 100.0, far["x"]))
    assert n_shared(with_halves(far, "parity"), 28) == 0
    assert n_shared(with_halves(crowded, "parity"), 28) == 4
    assert n_shared(with_halves(crowded.with_columns(tomo=table.tags), "parity"), 28) == 0  # in other tomograms
    assert n_shared(with_halves(table, "parity"), 28) == 0  # no positions
    with pytest.raises(EngineError, match=r"4 particles lie nearer than .* of the other half-set"):
        align({**phantom, "phantom:table": crowded}, data={"halves": "parity"})


def test_halves_by_tomogram_half_lie_on_either_side_of_the_median():
    table = Table.blank(6, tomo=[1, 1, 1, 2, 2, 2], y=[1, 2, 3, 30, 20, 10])
    halved = with_halves(table, "tomogram-half")
    assert halved["half"].tolist() == [1, 1, 2, 2, 1, 1]
    with pytest.raises(EngineError, match='use "parity"'):
        with_halves(Table.blank(4, y=5), "tomogram-half")


def test_each_half_has_an_fsc_of_its_own_and_halves_are_never_overwritten(phantom):
    made = align(phantom, data={"halves": "parity"})
    for half in ("odd", "even"):
        curve = made[f"half_{half}/ite_0001"]["refs/001/fsc"]
        assert curve["fsc"][2:5].min() > 0.5
        assert curve.notes["gold_standard"] is False
    table = phantom["phantom:table"].with_columns(half=np.r_[np.ones(4), np.zeros(20)])
    with pytest.raises(EngineError, match="4 of 24 particles belong to a half-set already"):
        align({**phantom, "phantom:table": table}, data={"halves": "parity"})


def test_the_raw_average_of_joined_halves_is_that_of_all_particles(phantom):
    frozen = {"cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}, "shifts": {"limits_xyz_px": [0, 0, 0]}}
    alone, halved = align(phantom, frozen), align(phantom, frozen, data={"halves": "parity"})
    whole, joined = (made["ite_0001"]["refs/001/average_raw"].data for made in (alone, halved))
    np.testing.assert_allclose(joined, whole, atol=1e-4 * whole.max())


FACTS = {"particles": ParticleFacts(24, 28, 4.0), "template": VolumeFacts((28, 28, 28), 4.0)}


class Told:
    """A look that knows what it was told."""

    def __init__(self, table, **facts):
        self._table, self._facts = table, {**FACTS, **facts}

    def particles(self, text):
        return self._facts["particles"]

    def table(self, text):
        return self._table

    def volume(self, text):
        return self._facts["template"]


def faults(table, **facts):
    values = {name: facts.pop(name) for name in list(facts) if name not in FACTS}
    form = alignment.Project.model_validate({"data": DATA, "rounds": [{**ROUND, **values}]})
    return [(fault.key, fault.what) for fault in alignment.check(form, Told(table, **facts))]


def test_a_sensible_project_has_no_faults(phantom):
    assert faults(phantom["phantom:table"]) == []


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"tag": np.r_[1.5, np.arange(2, 25)]}, "tags that are not whole numbers"),
        ({"tag": np.r_[np.nan, np.arange(2, 25)]}, "tags that are not whole numbers"),
        ({"tag": np.r_[2, np.arange(2, 25)]}, "tag 2 stands in 2 rows"),
        ({"tilt": np.r_[np.inf, np.zeros(23)]}, "poses or positions that are no numbers"),
        ({"x": np.nan}, "poses or positions that are no numbers"),
        ({"aligned": np.nan}, "aligned or averaged"),
        ({"averaged": 0}, "no particle has averaged = 1"),
        ({"ymintilt": np.nan}, "empty or impossible tilt range"),
        ({"ymintilt": 60, "ymaxtilt": -60}, "empty or impossible tilt range"),
        ({"ymintilt": -200, "ymaxtilt": 200}, "empty or impossible tilt range"),
        ({"ftype": 2}, "empty or impossible tilt range"),
        ({"ftype": 8}, "ftype 8 is not known"),
        ({"ftype": np.r_[5, np.ones(23)]}, "1 of 24 rows have ftype 5"),
        ({"apix": np.r_[5.0, np.full(23, 4.0)]}, "mixes pixel sizes"),
        ({"apix": 9.0}, "the table has a pixel size of 9 A, the particles of 4 A"),
    ],
)
def test_a_senseless_table_is_one_fault(phantom, columns, words):
    ((key, what),) = faults(phantom["phantom:table"].with_columns(**columns))
    assert key == ("data", "table")
    assert words in what


def test_contradicting_pixel_sizes_and_boxes_are_faults(phantom):
    table = phantom["phantom:table"]
    assert faults(table, template=VolumeFacts((28, 28, 28), 9.0)) == [
        (("data", "template"), "the template has a pixel size of 9 A, the particles of 4 A")
    ]
    assert faults(table, template=VolumeFacts((30, 30, 30), 4.0)) == [
        (("data", "template"), "has 30 x 30 x 30 px, the particles have 28")
    ]
    assert faults(table, particles=ParticleFacts(20, 28, 4.0)) == [
        (("data", "table"), "the table has 24 rows, but there are 20 particles")
    ]


def test_symmetry_is_imposed_on_the_stored_second_average(phantom):
    made = align(phantom, {"symmetry": "C2"})["ite_0001"]
    symmetric = made["refs/001/average_symmetrized"].data
    from engine.kernels.rotate import moved

    turned = moved(symmetric, np.diag([-1.0, -1.0, 1.0]))
    inner = slice(6, -6)
    np.testing.assert_allclose(turned[inner, inner, inner], symmetric[inner, inner, inner], atol=0.02 * symmetric.max())
    assert not np.allclose(made["refs/001/average"].data, symmetric, atol=0.05 * symmetric.max())


TURN, RISE = 40.0, 4.0


@pytest.fixture(scope="module")
def filament():
    """Pieces of a filament: helical subunits beyond the box on both ends, lying any way round, and little disturbed."""
    generator = np.random.default_rng(2)
    rotations, shifts = symmetry.helical("C1", TURN, RISE, 40.0)
    subunit = blobs.chiral_chain(8, 3.0, generator) + [6.0, 0, 0]
    centres = (np.einsum("kij,bj->kbi", rotations, subunit) + shifts[:, None]).reshape(-1, 3)
    truth = Table.blank(16, ftype=1, ymintilt=-60, ymaxtilt=60, tomo=1, apix=4.0)
    truth = truth.with_poses(euler.random(16, generator), np.zeros((16, 3)))
    clean = np.stack([blobs.render(centres @ R.T, 1.2, 32) for R in euler.matrices(truth.angles)])
    noise = 2.5 * clean.std() * generator.standard_normal(clean.shape, dtype=np.float32)
    return {
        "phantom:particles": ParticleArray(clean + noise, truth.tags, 4.0),
        "phantom:table": truth,
        "object": blobs.render(centres, 1.2, 32),
    }


def likeness(a, b):
    """Correlation of two maps inside a ball."""
    x, y, z = np.indices(a.shape) - a.shape[0] // 2
    inside = x**2 + y**2 + z**2 < 13**2
    return np.corrcoef(a[inside], b[inside])[0, 1]


def test_a_helix_is_imposed_on_the_reference_and_on_the_second_average(filament):
    values = {"iterations": 2, "bandpass": {"lowpass_fpx": 12}, "azimuth": {"range_deg": 16, "step_deg": 8}}
    narrow = {**values, "cone": {"range_deg": 16, "step_deg": 8}, "shifts": {"limits_xyz_px": [2, 2, 1.5]}}
    helix = {"turn_deg": TURN, "rise_A": 16.0}
    data = {"template": None}
    plain, helical = (align(filament, {**narrow, **more}, data=data) for more in ({}, {"helix": helix}))
    wrong = align(filament, {**narrow, "helix": {"turn_deg": -TURN, "rise_px": RISE}}, data=data)
    average, symmetric, mirrored = (
        likeness(made["ite_0002"][f"refs/001/{item}"].data, filament["object"])
        for made, item in (
            (plain, "average"),
            (helical, "average_symmetrized"),
            (wrong, "average_symmetrized"),
        )
    )
    assert symmetric > average + 0.05
    assert mirrored < symmetric - 0.2
    cc, plain_cc = (made["ite_0001"]["table"]["cc"].mean() for made in (helical, plain))
    assert cc != plain_cc  # the reference of the first iteration is helical too
    halves = align(filament, {**narrow, "helix": helix}, data={**data, "halves": "parity"})["ite_0002"]
    assert likeness(halves["refs/001/average_symmetrized"].data, filament["object"]) > average + 0.03


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        ({"symmetry": "O", "helix": {"turn_deg": 30, "rise_A": 20}}, ("helix",), "no symmetry O beside it"),
        (
            {"helix": {"turn_deg": 30, "rise_A": 60}},
            ("helix", "rise_A"),
            "15 px is more than the central 14 px of the box",
        ),
        ({"helix": {"turn_deg": 30, "rise_px": 15}}, ("helix", "rise_px"), "would have gaps"),
    ],
)
def test_an_impossible_helix_is_one_fault(phantom, values, key, words):
    ((found, what),) = faults(phantom["phantom:table"], **values)
    assert found == ("rounds", 0, *key)
    assert words in what


def test_a_rise_in_angstrom_needs_a_pixel_size(phantom):
    table = phantom["phantom:table"].with_columns(apix=0)
    facts = {"particles": ParticleFacts(24, 28, 0.0), "template": VolumeFacts((28, 28, 28), 0.0)}
    ((_, what),) = faults(table, helix={"turn_deg": 30, "rise_A": 20}, **facts)
    assert "needs a pixel size" in what
    assert faults(table, helix={"turn_deg": 30, "rise_px": 5}, **facts) == []
    with pytest.raises(EngineError, match=r"helix: a rise of 20 px .*raise helix\.central_fraction"):
        align(phantom, {"helix": {"turn_deg": 30, "rise_px": 20}})


def spoilt(phantom, tags):
    particles = phantom["phantom:particles"]
    boxes = particles.boxes.copy()
    for number, tag in enumerate(tags):
        boxes[tag - 1] = np.nan if number % 2 == 0 else 1e30 * np.random.default_rng(0).normal(size=boxes[0].shape)
    return {**phantom, "phantom:particles": ParticleArray(boxes, particles.tags, 4.0)}


def test_many_particles_without_numbers_stop_the_run(phantom):
    with pytest.raises(EngineError, match=r"2 of 24 particles .* first tags 3, 9"):
        align(spoilt(phantom, [3, 9]))


def test_a_rare_particle_without_numbers_is_excluded_counted_and_listed(phantom):
    repeated = ParticleArray(np.concatenate([phantom["phantom:particles"].boxes] * 5), np.arange(1, 121), 4.0)
    table = Table.blank(120, ftype=1, ymintilt=-60, ymaxtilt=60)
    start = alignment.Project.model_validate({"data": DATA, "rounds": [ROUND]})
    step = alignment.unfold(start)[0]
    boxes = repeated.boxes.copy()
    boxes[16, 3, 4, 5] = np.inf
    inputs = {
        "particles": ParticleArray(boxes, repeated.tags, 4.0),
        "table": table,
        "template": phantom["phantom:template"],
    }
    made = step.function(step.settings, inputs, Work())
    assert made["summary"]["excluded: no numbers or constant"] == "17"
    assert made["table"]["aligned"][16] == made["table"]["averaged"][16] == 0
    assert made["table"]["averaged"].sum() == 119


def test_tags_without_particles_are_one_clear_error(phantom):
    table = phantom["phantom:table"].with_columns(tag=np.arange(11, 35))
    with pytest.raises(EngineError, match=r"10 of 24 tags of the table have no particle: 25, 26, 27"):
        align({**phantom, "phantom:table": table})


def test_an_empty_mask_and_one_of_the_wrong_size_are_clear_errors(phantom):
    with pytest.raises(EngineError, match="is empty"):
        align(
            phantom,
            masks={"alignment": {"shape": "sphere", "radius_A": 0.1, "edge_px": 0, "centre_xyz_px": [3.5, 3, 3]}},
        )
    with pytest.raises(EngineError, match=r"m.mrc has shape \(8, 8, 8\)"):
        align({**phantom, "m.mrc": Volume(np.ones((8, 8, 8), dtype=np.float32))}, masks={"alignment": "m.mrc"})


def test_a_flat_template_is_a_clear_error(phantom):
    flat = Volume(np.zeros((28, 28, 28), dtype=np.float32), 4.0)
    with pytest.raises(EngineError, match="template is constant"):
        align({**phantom, "phantom:template": flat})


def test_the_template_loses_the_fourier_voxels_that_hold_nothing(phantom):
    z, y, x = np.indices((28,) * 3) - 14
    kept = np.abs(z) <= np.abs(x)  # a wedge about z is missing
    given = {**phantom, "f.mrc": Volume(kept.astype(np.float32))}
    for halves in ("none", "parity"):
        made = align(given, masks={"fourier": "f.mrc"}, data={"halves": halves})
        folder = "" if halves == "none" else "half_even/"
        reference = made[f"{folder}ite_0000"]["refs/001/starting_reference"].data
        found, plain = (np.fft.fftshift(np.fft.fftn(v)) for v in (reference, phantom["phantom:template"].data))
        inner = (np.abs(z) < 14) & (np.abs(y) < 14) & (np.abs(x) < 14)
        assert np.abs(found[inner & ~kept]).max() < 1e-4 * np.abs(plain).max()
        np.testing.assert_allclose(
            np.abs(found[inner & kept]), np.abs(plain[inner & kept]), atol=1e-4 * np.abs(plain).max()
        )
    with pytest.raises(EngineError, match=r"f.mrc is empty"):
        align({**given, "f.mrc": Volume(np.zeros((28,) * 3, np.float32))}, masks={"fourier": "f.mrc"})


def test_a_fourier_mask_of_no_template_or_of_another_box_is_a_fault(phantom):
    def told(shape, **data):
        values = {"data": {**DATA, **data}, "rounds": [ROUND], "masks": {"fourier": "f.mrc"}}
        form = alignment.Project.model_validate(values)
        return [
            (fault.key, fault.what) for fault in alignment.check(form, Told(phantom["phantom:table"], template=shape))
        ]

    right, wrong = (VolumeFacts((n, n, n), 4.0) for n in (28, 30))
    assert told(right) == []
    ((key, what),) = told(right, template=None)
    assert key == ("masks", "fourier")
    assert "there is none" in what
    assert (("masks", "fourier"), "has 30 x 30 x 30 px, the particles have 28") in told(wrong)


def test_a_mirrored_template_loses(phantom):
    template = phantom["phantom:template"]
    mirrored = {**phantom, "phantom:template": Volume(np.roll(template.data[:, :, ::-1], 1, axis=2), 4.0)}
    wide = {"cone": {"range_deg": 60, "step_deg": 15}, "azimuth": {"range_deg": 60, "step_deg": 15}}
    right, wrong = align(phantom, wide)["ite_0001"]["table"], align(mirrored, wide)["ite_0001"]["table"]
    assert (right["cc"] > wrong["cc"]).all()


def test_a_band_whose_half_is_empty_is_not_screened(phantom):
    made = align(phantom, {"bandpass": {"highpass_fpx": 10, "lowpass_fpx": 12.5}})
    assert made["ite_0001"]["table"]["cc"].max() > 0


def test_poses_that_are_no_numbers_stop_a_run_with_one_line(phantom):
    table = phantom["phantom:table"]
    broken = table.with_columns(dx=np.where(table.tags == 3, np.nan, table["dx"]))
    with pytest.raises(EngineError, match=r"the table: 1 of 24 rows have poses .* row 3"):
        align({**phantom, "phantom:table": broken})


def test_more_iterations_leave_those_before_as_they_are():
    project = {"data": {"particles": "p:particles", "table": "p:table"}, "rounds": [{"bandpass": {"lowpass_fpx": 8}}]}
    keys = []
    for n in (3, 4):
        project["rounds"][0]["iterations"] = n
        steps = alignment.unfold(alignment.Project.model_validate(project))
        keys.append({step.name: step.settings_json for step in steps})
    assert all(keys[0][name] == keys[1][name] for name in ("ite_0001", "ite_0002"))

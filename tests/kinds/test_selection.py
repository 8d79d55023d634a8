"""selection: what each filter keeps, on tables made for the purpose."""

import memory
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import minimize_scalar
from scipy.spatial import KDTree
from scipy.stats import norm

from engine.check import check
from engine.data import Half, Table
from engine.export import export
from engine.faults import EngineError
from engine.geometry import euler, lattice, neighbours
from engine.kinds import KINDS


def selected(table, *filters, **values):
    values = {"data": {"table": "t.tbl"}, "filters": list(filters), **values}
    return memory.run("selection", values, {"t.tbl": table})["selection"]


def cloud(n, seed, side=40.0, **columns):
    """n particles anywhere in cubes of that side, two regions each in two tomograms, with random cc."""
    generator = np.random.default_rng(seed)
    x, y, z = generator.uniform(0, side, (3, n))
    tomo, reg = generator.integers(1, 3, (2, n))
    return Table.blank(n, x=x, y=y, z=z, tomo=tomo, reg=reg, cc=generator.uniform(0.1, 0.5, n), **columns)


def centres(table):
    return table.positions_xyz_px + table.shifts_xyz_px


def kept_tags(made):
    return made["table"].tags.tolist()


@settings(max_examples=30)
@given(st.integers(0, 60), st.integers(0, 10_000), st.sampled_from(["highest-cc", "first"]))
def test_what_the_distance_keeps_lies_apart_and_what_it_rejects_has_a_better_neighbour(n, seed, keep):
    table = cloud(n + 1, seed, dx=0.5)
    made = selected(table, {"by": "distance", "distance_px": 9, "keep": keep})
    kept, rejected = made["table"], made["rejected"]
    assert sorted([*kept.tags, *rejected.tags]) == table.tags.tolist()
    for tomogram in (1, 2):
        mine = kept.where(kept["tomo"] == tomogram)
        assert not KDTree(centres(mine)).query_pairs(9 - 1e-9)
        for row in rejected.where(rejected["tomo"] == tomogram).tags - 1:
            near = mine.where(np.linalg.norm(centres(mine) - centres(table)[row], axis=1) < 9)
            better = near["cc"] >= table["cc"][row] if keep == "highest-cc" else near.tags < table.tags[row]
            assert better.any()


def test_regions_that_touch_are_left_alone_when_asked():
    pair = Table.blank(3, x=[10, 12, 30], reg=[1, 2, 2], cc=[0.3, 0.2, 0.1])
    assert kept_tags(selected(pair, {"by": "distance", "distance_px": 5})) == [1, 3]
    assert kept_tags(selected(pair, {"by": "distance", "distance_px": 5, "per": "region"})) == [1, 2, 3]
    far = pair.with_columns(tomo=[1, 2, 2])
    assert kept_tags(selected(far, {"by": "distance", "distance_px": 50, "per": "region"})) == [1, 2]


def test_a_distance_counts_to_the_refined_centre_in_px_or_in_A():
    table = Table.blank(2, x=[10, 20], dx=[4.5, -4.5], cc=[0.1, 0.2], apix=2.0)
    for size, expected in (({"distance_px": 1.01}, [2]), ({"distance_A": 2.02}, [2]), ({"distance_A": 2.0}, [1, 2])):
        assert kept_tags(selected(table, {"by": "distance", **size})) == expected
    typed = {"data": {"table": "t.tbl", "pixel_size_A": 1.0}}
    assert kept_tags(selected(table, {"by": "distance", "distance_A": 1.01}, **typed)) == [2]
    with pytest.raises(
        EngineError, match=r"has no pixel size in all of its rows \(column apix\).*give data.pixel_size_A"
    ):
        selected(table.with_columns(apix=[2, 0]), {"by": "distance", "distance_A": 9})


def test_every_row_is_kept_or_has_the_number_of_its_filter():
    table = cloud(200, 1)
    made = selected(
        table,
        {"by": "expression", "keep": "cc > 0.15 and reg == 1"},
        {"by": "distance", "distance_px": 6},
        {"by": "cc", "rule": "best-count", "value": 10, "per": "tomogram"},
    )
    kept, rejected, summary = made["table"], made["rejected"], made["summary"]
    assert set(kept["rejected_by"]) == {0}
    assert len(kept) == summary["kept"] == 20
    counts = [int((rejected["rejected_by"] == number).sum()) for number in (1, 2, 3)]
    names = ["1 expression", "2 distance", "3 cc"]
    assert counts == [summary[f"{name}: rejected"] for name in names]
    assert min(counts) > 0
    assert sum(counts) + len(kept) == len(table) == summary["rows"]
    left = len(table) - counts[0]
    told = [summary[f"2 distance: rejected, tomogram {tomogram}"].split(" of ") for tomogram in (1, 2)]
    assert np.array(told, dtype=int).sum(axis=0).tolist() == [counts[1], left]
    by_hand = table.where((table["cc"] > 0.15) & (table["reg"] == 1))
    assert left == len(by_hand)
    again = selected(rejected, {"by": "expression", "keep": "rejected_by > 1"})
    assert len(again["table"]) == counts[1] + counts[2]
    assert set(again["table"]["rejected_by"]) == {0}


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ("cc-above", 0.3, [3, 4, 8]),
        ("cc-above-mean-times", 1.0, [3, 4, 7, 8]),
        ("cc-above-mean-plus-std", 1.0, [4, 8]),
        ("best-count", 1, [4, 8]),
        ("best-fraction", 0.75, [2, 3, 4, 6, 7, 8]),
    ],
)
def test_a_rule_of_cc_goes_by_the_tomogram_when_asked(rule, value, expected):
    cc = [0.1, 0.2, 0.3, 0.5, 0.01, 0.02, 0.2, 0.4]
    table = Table.blank(8, cc=cc, cc2=cc[::-1], tomo=[1, 1, 1, 1, 2, 2, 2, 2])
    one = {"by": "cc", "rule": rule, "value": value}
    assert kept_tags(selected(table, {**one, "per": "tomogram"})) == expected
    assert len(kept_tags(selected(table, {**one, "column": "cc2"}))) == len(kept_tags(selected(table, one)))


def mixed(n_bad, n_good, bad=(0.06, 0.01), good=(0.15, 0.03), seed=0):
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.normal(*bad, n_bad), generator.normal(*good, n_good)])


def test_a_mixture_is_cut_where_its_density_is_lowest():
    table = Table.blank(6000, cc=mixed(2000, 4000), tomo=7)
    made = selected(table, {"by": "mixture", "offset": 0.01})
    fit, summary = made["mixture"].notes, made["summary"]
    found = [fit[f"tomogram 7: {name}"] for name in ("mean, bad", "deviation, bad", "mean, good", "deviation, good")]
    assert found == pytest.approx([0.06, 0.01, 0.15, 0.03], abs=2e-3)
    assert fit["tomogram 7: share, bad"] == pytest.approx(1 / 3, abs=0.01)

    def density(cc):
        share = fit["tomogram 7: share, bad"]
        return share * norm.pdf(cc, *found[:2]) + (1 - share) * norm.pdf(cc, *found[2:])

    lowest = minimize_scalar(density, bounds=(found[0], found[2]), method="bounded").x
    assert summary["1 mixture: tomogram 7: threshold"] == pytest.approx(lowest + 0.01, abs=1e-4)
    assert summary["1 mixture: tomogram 7: how"] == "lowest density + 0.01"
    assert made["table"]["cc"].min() >= summary["1 mixture: tomogram 7: threshold"] > made["rejected"]["cc"].max()
    is_bad = made["rejected"].tags <= 2000
    assert is_bad.sum() > 1900


def test_the_curve_of_a_mixture_counts_the_particles_and_those_of_each_gaussian():
    curve = selected(Table.blank(3000, cc=mixed(1000, 2000), tomo=7), {"by": "mixture"})["mixture"]
    assert curve["tomogram 7: particles"].sum() == 3000
    assert curve["tomogram 7: bad"].sum() == pytest.approx(1000, rel=0.03)
    assert curve["tomogram 7: good"].sum() == pytest.approx(2000, rel=0.03)


def test_a_mixture_without_a_minimum_takes_the_fallback_and_says_so():
    one_hill = mixed(800, 3000, bad=(0.11, 0.025), good=(0.17, 0.025))
    cc = np.concatenate([one_hill, mixed(500, 1500), np.full(30, 0.2), [0.1, 0.2, 0.3]])
    tomo = np.repeat([1, 2, 3, 4], [3800, 2000, 30, 3])
    made = selected(Table.blank(len(cc), cc=cc, tomo=tomo), {"by": "mixture", "fallback_std": 1.25})
    how = {tomogram: made["summary"][f"1 mixture: tomogram {tomogram}: how"] for tomogram in (1, 2, 3, 4)}
    assert how[1] == "fallback: no lowest density between the means, higher mean - 1.25 deviations"
    assert how[2].startswith("lowest density")
    assert how[3] == "fallback: 30 particles are no mixture, mean - 1.25 deviations"
    fit = made["mixture"].notes
    threshold = fit["tomogram 1: mean, good"] - 1.25 * fit["tomogram 1: deviation, good"]
    assert made["summary"]["1 mixture: tomogram 1: threshold"] == pytest.approx(threshold)
    kept = made["table"]
    assert (kept["tomo"] == 3).sum() == 30  # equal cc: none is worse than the others
    assert (kept["tomo"] == 4).sum() == 3


def test_a_mixture_does_not_depend_on_the_unit_of_cc_nor_on_the_order_of_rows():
    cc = mixed(700, 1500)
    tags = selected(Table.blank(2200, cc=cc), {"by": "mixture", "offset": 0})["table"].tags
    scaled = selected(Table.blank(2200, cc=1000 * cc - 5), {"by": "mixture", "offset": 0})["table"].tags
    assert np.array_equal(tags, scaled)
    shuffled = Table.blank(2200, cc=cc).where(np.random.default_rng(1).permutation(2200))
    assert set(selected(shuffled, {"by": "mixture", "offset": 0})["table"].tags) == set(tags)


def series(t):
    return 0.2 - 0.06 * np.cos(2 * t) + 0.01 * np.sin(2 * t) + 0.01 * np.cos(4 * t) + 0.005 * np.sin(4 * t)


def seen_from(n, seed=0):
    """Axes in all directions, and a cc that is low at the poles."""
    generator = np.random.default_rng(seed)
    axes = generator.normal(size=(n, 3))
    angles = euler.from_axes(axes)
    theta = np.radians(angles[:, 1])
    course = series(theta)
    return Table.blank(n).with_poses(angles, np.zeros((n, 3))), theta, course


@pytest.mark.parametrize("normalise", ["divide", "subtract"])
def test_the_latitude_is_taken_out_of_the_cc(normalise):
    table, theta, course = seen_from(4000)
    quality = np.random.default_rng(1).normal(1, 0.1, 4000)
    cc = course * quality if normalise == "divide" else course + 0.1 * (quality - 1)
    made = selected(table.with_columns(cc=cc), {"by": "latitude", "normalise": normalise})
    is_rejected = np.isin(table.tags, made["rejected"].tags)
    is_bad = quality < 0.9
    assert (is_rejected != is_bad).mean() < 0.01
    at_pole = np.abs(np.cos(theta)) > 0.9
    assert is_rejected[at_pole].mean() == pytest.approx(is_rejected[~at_pole].mean(), abs=0.05)
    plain = selected(table.with_columns(cc=cc), {"by": "cc", "value": -1.0})  # what the filter is there for
    assert np.isin(table.tags[at_pole], plain["rejected"].tags).mean() > 0.8


def test_the_fit_of_the_latitude_is_the_series_itself():
    table, _, course = seen_from(300)
    made = selected(table.with_columns(cc=course), {"by": "latitude"})
    assert len(made["rejected"]) == 0  # no deviation: none lies below
    curve = made["latitude"]
    there = np.radians(curve["angle_to_beam_deg"])
    assert curve["tomogram 0: fit"] == pytest.approx(series(there), abs=1e-9)


def test_few_particles_get_a_shorter_series_and_none_is_divided_by_nothing():
    table, _, course = seen_from(13)
    notes = selected(table.with_columns(cc=course, tomo=[1] * 12 + [2]), {"by": "latitude"})["latitude"].notes
    assert (notes["tomogram 1: terms"], notes["tomogram 2: terms"]) == (1, 0)
    with pytest.raises(EngineError, match=r'tomogram 0: the fitted cc is not above 0.*normalise = "subtract"'):
        selected(table.with_columns(cc=course - 0.2), {"by": "latitude"})


def hexagonal(n=7, spacing=10.0):
    """A flat hexagonal lattice with its axes along z, and the number of neighbours that each point has by hand."""
    i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    x, y = spacing * (i + j / 2).ravel(), spacing * (np.sqrt(3) / 2 * j).ravel()
    points = np.column_stack([x, y, np.full(n * n, 50.0)])
    apart = np.linalg.norm(points[:, None] - points, axis=-1)
    return points, (np.abs(apart - spacing) < 1e-6).sum(axis=1)


def test_neighbours_on_a_lattice_are_counted():
    points, expected = hexagonal()
    angles, groups = np.zeros((len(points), 3)), np.zeros(len(points))
    angles[:, 2] = np.random.default_rng(0).uniform(0, 360, len(points))
    for fold in (None, 6):
        found = lattice.neighbours_on_surface(points, angles, groups, (8, 12), 30, 30, fold, 10)
        assert found.tolist() == expected.tolist()
    square = lattice.neighbours_on_surface(points, angles, groups, (8, 12), 30, 30, 4, 10)
    assert square.max() < expected.max()


def test_what_does_not_fit_the_lattice_is_rejected():
    points, expected = hexagonal()
    inside = int(np.flatnonzero(expected == 6)[12])
    intruders = points[inside] + np.array([[0.0, 0, 11.0], [5.0, 2.0, 0], [200.0, 0, 0]])
    n = len(points)
    where = np.vstack([points, intruders])
    angles = np.zeros((n + 3, 3))
    turned = int(np.flatnonzero(expected == 6)[0])
    angles[turned, 1] = 60  # its axis leans out
    x, y, z = where.T
    table = Table.blank(n + 3, x=x, y=y, z=z, apix=2.0).with_poses(angles, np.zeros((n + 3, 3)))
    made = selected(table, {"by": "lattice", "range_A": [16, 24], "neighbours": 2, "fold": 6})
    rejected = set(made["rejected"].tags - 1)
    assert {n, n + 1, n + 2, turned} <= rejected
    assert rejected - {n, n + 1, n + 2, turned} <= set(np.flatnonzero(expected <= 3))
    in_px = selected(table, {"by": "lattice", "range_px": [8, 12], "neighbours": 2, "fold": 6})
    assert kept_tags(in_px) == kept_tags(made)


def test_a_group_has_its_neighbours_to_itself():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    groups = np.array([1.0, 2, 1])
    assert neighbours.nearest_distances(points, groups).tolist() == [3, np.inf, 3]
    assert neighbours.pairs(points, groups, 5).tolist() == [[0, 2], [2, 0]]
    assert [rows.tolist() for rows in neighbours.of_groups(np.array([2.0, 1, 2]))] == [[1], [0, 2]]


def test_halves_are_dealt_once():
    table = cloud(101, 3)
    everyone = {"by": "expression", "keep": "cc > 0"}
    parity = selected(table, everyone, halves="parity")["table"]
    assert (parity["half"] == np.where(parity.tags % 2, Half.ODD, Half.EVEN)).all()
    dealt = [selected(table, everyone, halves="random", compute={"seed": seed})["table"]["half"] for seed in (1, 1, 2)]
    assert np.array_equal(dealt[0], dealt[1])
    assert not np.array_equal(dealt[0], dealt[2])
    assert sorted((dealt[0] == half).sum() for half in (Half.ODD, Half.EVEN)) == [50, 51]
    regions = selected(table, halves="region")
    both = np.unique(np.column_stack([regions["table"][name] for name in ("tomo", "reg", "half")]), axis=0)
    assert len(both) == 4
    kept = selected(parity, everyone, halves="random")
    assert np.array_equal(kept["table"]["half"], parity["half"])
    assert kept["summary"]["half-sets"] == "51 odd, 50 even"


def test_a_filter_that_keeps_none_is_told_by_its_number():
    with pytest.raises(EngineError, match=r"filters no. 2, by cc: none of the 20 rows is kept \(loosen it\)"):
        selected(cloud(20, 0), {"by": "distance", "distance_px": 1e-6}, {"by": "cc", "rule": "cc-above", "value": 2})


def test_numbers_that_are_none_are_told_where_a_filter_needs_them():
    table = cloud(5, 0).with_columns(cc=[0.1, 0.2, np.nan, 0.3, 0.4])
    with pytest.raises(
        EngineError,
        match=r"no\. 1, by mixture: the table has no number in the column cc of 1 rows, the first of tag 3",
    ):
        selected(table, {"by": "mixture"})
    without = {"by": "expression", "keep": "cc == cc"}
    assert len(selected(table, without, {"by": "mixture", "fallback_std": 9})["table"]) == 4
    with pytest.raises(EngineError, match="the table has no rows"):
        selected(Table({}), {"by": "mixture"})


def test_check_looks_into_the_table_before_anything_runs(tmp_path):
    def faults(text):
        (tmp_path / "s.toml").write_text(f'kind = "selection"\n[data]\ntable = "t.csv"\n{text}')
        return [fault.what for fault in check([tmp_path / "s.toml"])[0].faults]

    export(cloud(9, 0).with_columns(cc=[np.nan, *[0.2] * 8]), tmp_path / "t.csv")
    in_A, mixture = '[[filters]]\nby = "distance"\ndistance_A = 9\n', '[[filters]]\nby = "mixture"\n'
    no_cc = "has no number in the column cc of 1 rows, the first of tag 1"
    assert len(faults(in_A + mixture)) == 2
    assert faults("pixel_size_A = 2\n" + in_A) == [no_cc]
    assert faults("pixel_size_A = 2\n" + in_A.replace("distance_A = 9", 'distance_A = 9\nkeep = "first"')) == []
    assert faults('[[filters]]\nby = "expression"\nkeep = "cc == cc"\n' + mixture) == []
    export(cloud(9, 0, apix=3.0), tmp_path / "t.csv")
    assert faults(in_A) == []
    assert faults("pixel_size_A = 2\n" + in_A) == [
        "data.pixel_size_A has a pixel size of 2 A, the table of 3 A",
    ]


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ([{"by": "distance"}], "give the distance exactly once"),
        ([{"by": "distance", "distance_A": 5, "distance_px": 5}], "give the distance exactly once"),
        ([{"by": "lattice", "range_A": [80, 60]}], "no range of distances"),
        ([{"by": "lattice"}], "give the range of distances exactly once"),
        ([{"by": "mixture"}, {"by": "mixture"}], "filter by mixture once"),
        ([{"by": "colour"}], "colour"),
    ],
)
def test_wrong_filters_have_no_form(filters, says):
    with pytest.raises(ValidationError, match=says):
        KINDS["selection"].Project.model_validate({"data": {"table": "t.tbl"}, "filters": filters})

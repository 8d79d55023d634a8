"""Pictures show what they say: how many particles, on which axes, in which units."""

from __future__ import annotations

from pathlib import Path

import memory
import numpy as np
import pytest
from typer.testing import CliRunner

from engine.cli.commands import app
from engine.data import Curve, Table, Volume
from engine.export import export
from engine.faults import EngineError
from engine.geometry import euler
from engine.plots import figure_of
from engine.plots.labels import label
from engine.plots.tables import MOST_TOMOGRAMS


def shell_of_particles(n: int = 60, tomograms: int = 2, **columns) -> Table:
    """Particles on a sphere of 40 px about (100, 100, 100), axes outwards, dealt to tomograms."""
    axes = np.random.default_rng(0).normal(size=(n, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    x, y, z = 100 + 40 * axes.T
    cc = np.linspace(0.1, 0.3, n)
    table = Table.blank(n, x=x, y=y, z=z, cc=cc, tomo=np.arange(n) % tomograms + 1, **columns)
    return table.with_poses(euler.from_axes(axes), np.zeros((n, 3)))


def places(figure) -> dict:
    """The panels of a figure by their title or, without one, by their label across; scales of colour are left out."""
    figure.draw_without_rendering()
    return {
        place.get_title() or place.get_xlabel(): place for place in figure.axes if place.get_label() != "<colorbar>"
    }


def drawn_number(histogram) -> int:
    """The particles in a histogram of bars or steps."""
    heights = [patch.get_height() for patch in histogram.patches if hasattr(patch, "get_height")]
    return round(sum(heights))


@pytest.mark.parametrize(("apix", "given", "unit", "scale"), [(2.0, 0, "Å", 2), (0, 3.0, "Å", 3), (0, 0, "px", 1)])
def test_positions_are_drawn_with_their_axes_in_their_unit(apix, given, unit, scale):
    table = shell_of_particles(apix=apix)
    panels = places(figure_of(table, given))
    for tomogram in (1, 2):
        place = panels[f"tomogram {tomogram}: 30 particles"]
        assert [place.get_xlabel(), place.get_ylabel(), place.get_zlabel()] == [f"{axis} ({unit})" for axis in "xyz"]
        lines, dots = place.collections
        starts, ends = np.moveaxis(np.array(lines._segments3d), 1, 0)
        mine = table.where(table["tomo"] == tomogram)
        np.testing.assert_allclose(starts, mine.positions_xyz_px * scale)
        np.testing.assert_allclose(np.sort(np.column_stack(dots._offsets3d), axis=0), np.sort(starts, axis=0))
        along = (ends - starts) / np.linalg.norm(ends - starts, axis=1, keepdims=True)
        np.testing.assert_allclose(along, euler.axes(mine.angles), atol=1e-6)
        np.testing.assert_array_equal(np.asarray(lines.get_array()), mine["cc"])
        assert lines.norm.vmin == pytest.approx(0.1)  # one scale for both
        assert lines.norm.vmax == pytest.approx(0.3)


def test_while_there_is_no_cc_colours_are_those_of_the_regions():
    table = shell_of_particles(reg=np.arange(60) % 3).with_columns(cc=0)
    figure = figure_of(table)
    panels = places(figure)
    lines, _ = panels["tomogram 1: 30 particles"].collections
    np.testing.assert_array_equal(np.asarray(lines.get_array()), table["reg"][table["tomo"] == 1])
    (told,) = panels["60 particles"].texts
    assert told.get_text() == "no cc yet"
    assert [place.get_ylabel() for place in figure.axes if place.get_label() == "<colorbar>"] == ["particles"]


def test_tomograms_are_listed_in_their_order():
    legend = places(figure_of(shell_of_particles(tomograms=3)))["60 particles"].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["tomogram 1", "tomogram 2", "tomogram 3"]


def test_the_other_panels_count_every_particle():
    panels = places(figure_of(shell_of_particles(tomograms=1, apix=2.0)))
    cc = panels["60 particles"]
    assert (cc.get_xlabel(), cc.get_ylabel(), drawn_number(cc)) == ("cc", "particles", 60)
    sphere = panels["directions of the axes"]
    assert sphere.get_xlabel() == "rings: angle of the axis to the beam (deg)"
    assert sphere.collections[0].get_array().sum() == 60
    (nearest,) = [place for title, place in panels.items() if title.startswith("median")]
    assert nearest.get_xlabel() == "distance to the nearest neighbour (Å)"
    beyond = nearest.get_title().partition(", ")[2].removesuffix(" beyond")
    assert drawn_number(nearest) + int(beyond or 0) == 60


def test_directions_lie_in_the_disc_of_their_side():
    up = Table.blank(30).with_poses(np.tile([0.0, 10, 0], (30, 1)), np.zeros((30, 3)))
    down = Table.blank(20).with_poses(np.tile([90.0, 150, 0], (20, 1)), np.zeros((20, 3)))
    (sphere,) = [place for title, place in places(figure_of(up.joined(down))).items() if "directions" in title]
    drawn = sphere.collections[0]
    where = {int(number): place for number, place in zip(drawn.get_array(), drawn.get_offsets(), strict=True)}
    # An axis 10 deg from +z towards +y; one 30 deg from -z towards +x.
    np.testing.assert_allclose(where[30], [-1.1, np.sqrt(2) * np.sin(np.radians(5))], atol=0.1)
    np.testing.assert_allclose(where[20], [1.1 + np.sqrt(2) * np.sin(np.radians(15)), 0], atol=0.1)


def test_a_table_without_positions_has_no_panels_for_them():
    table = shell_of_particles().with_columns(x=0, y=0, z=0)
    assert set(places(figure_of(table))) == {"60 particles", "directions of the axes"}


def test_of_many_tomograms_the_first_are_drawn_and_the_figure_says_so():
    figure = figure_of(shell_of_particles(tomograms=MOST_TOMOGRAMS + 3))
    assert sum(place.name == "3d" for place in figure.axes) == MOST_TOMOGRAMS
    assert figure.subfigs[0].get_suptitle().startswith("the first 9 of 12 tomograms")


@pytest.mark.parametrize(
    "table",
    [shell_of_particles(1, 1), shell_of_particles(2, 2), shell_of_particles(3, 1).with_columns(cc=[0.2, np.nan, 0.2])],
)
def test_few_or_odd_rows_are_drawn_all_the_same(tmp_path, table):
    assert export(table, tmp_path / "few.png").stat().st_size > 3000


def test_rows_that_lie_nowhere_are_left_out_and_counted():
    table = shell_of_particles(tomograms=1)
    figure = figure_of(table.with_columns(y=np.where(table.tags < 5, np.nan, table["y"])))
    assert figure.get_suptitle() == "4 rows without a pose or a position are left out"
    assert "tomogram 1: 56 particles" in places(figure)


def test_nothing_to_draw_is_an_error():
    with pytest.raises(EngineError, match="the table has no rows to draw"):
        figure_of(Table({}))
    with pytest.raises(EngineError, match="the curve has no points to draw"):
        figure_of(Curve({"shell_fpx": np.zeros(0), "fsc": np.zeros(0)}))


def test_an_fsc_has_its_resolutions_above():
    shell = np.arange(17.0)
    resolution = np.divide(64, shell, out=np.zeros(17), where=shell > 0)
    fsc = np.linspace(1, 0, 17)
    curve = Curve(
        {"shell_fpx": shell, "resolution_A": resolution, "fsc_masked": fsc, "fsc_random": fsc / 2, "part": fsc}
    )
    figure = figure_of(curve)
    figure.draw_without_rendering()
    (place,) = figure.axes
    assert (place.get_xlabel(), place.get_ylabel()) == ("shell (Fourier px)", "FSC")
    assert [line.get_label() for line in place.lines[:2]] == ["fsc masked", "fsc random"]
    assert {float(line.get_ydata()[0]) for line in place.lines[2:]} == {0.143, 0.5}
    (above,) = place.child_axes
    assert above.get_xlabel() == "resolution (Å)"
    for tick, text in zip(above.get_xticks(), above.get_xticklabels(), strict=True):
        assert float(text.get_text()) == pytest.approx(64 / tick, rel=0.01)
    without = figure_of(Curve({"shell_fpx": shell, "resolution_A": np.zeros(17), "fsc": fsc})).axes[0]
    assert not without.child_axes


def test_columns_of_other_units_have_panels_of_their_own():
    columns = {"tag": np.arange(1, 6), "angle_deg": np.ones(5), "shift_px": np.ones(5), "axis_deg": np.ones(5)}
    angles, shifts = figure_of(Curve(columns)).axes
    assert [line.get_label() for line in angles.lines] == ["angle (deg)", "axis (deg)"]
    assert shifts.get_ylabel() == "shift (px)"


def test_what_does_not_ascend_is_drawn_as_points():
    tilt, cc = np.array([20.0, 10, 90]), np.array([0.1, 0.3, 0.2])
    (line,) = figure_of(Curve({"tilt": tilt, "cc": cc})).axes[0].lines
    assert (line.get_linestyle(), line.get_marker()) == ("None", ".")


def test_volumes_are_drawn_as_three_slices_through_their_centre():
    data = np.random.default_rng(0).normal(size=(6, 8, 10)).astype(np.float32)
    figure = figure_of(Volume(data, 1.35))
    assert figure.get_suptitle() == "1.35 Å/px"
    expected = {
        "z = 3 px": (data[3], "x", "y"),
        "y = 4 px": (data[:, 4], "x", "z"),
        "x = 5 px": (data[:, :, 5], "y", "z"),
    }
    for title, place in places(figure).items():
        pixels, across, up = expected[title]
        np.testing.assert_array_equal(place.images[0].get_array(), pixels)
        assert (place.get_xlabel(), place.get_ylabel()) == (f"{across} (px)", f"{up} (px)")
    assert len(places(figure)) == 3


def test_names_become_labels_with_units():
    names = {"angle_to_beam_deg": "angle to beam (deg)", "resolution_A": "resolution (Å)", "cc": "cc"}
    names |= {"resolution_squared_per_A2": "resolution squared (1/Å²)", "dose_px": "dose (px)"}
    assert {name: label(name) for name in names} == names


def test_the_fits_of_a_selection_have_a_panel_for_each_tomogram():
    generator = np.random.default_rng(0)
    cc = np.concatenate(
        [generator.normal(0.06, 0.01, 300), generator.normal(0.15, 0.03, 700), generator.normal(0.2, 0.02, 500)]
    )
    tomo = np.repeat([3, 9], [1000, 500])
    table = shell_of_particles(1500).with_columns(cc=cc, tomo=tomo)
    values = {"data": {"table": "t"}, "filters": [{"by": "mixture"}, {"by": "latitude"}]}
    made = memory.run("selection", values, {"t": table})["selection"]
    panels = places(figure_of(made["mixture"]))
    assert list(panels) == ["tomogram 3", "tomogram 9"]
    for tomogram, number in ((3, 1000), (9, 500)):
        place = panels[f"tomogram {tomogram}"]
        assert (place.get_xlabel(), place.get_ylabel(), drawn_number(place)) == ("cc", "particles", number)
        lines = {line.get_label(): line for line in place.lines}
        threshold = made["summary"][f"1 mixture: tomogram {tomogram}: threshold"]
        (told,) = [name for name in lines if name.startswith(f"{threshold:.3f}")]
        assert lines[told].get_xdata()[0] == pytest.approx(threshold)
        assert told.endswith("(fallback)") == made["summary"][f"1 mixture: tomogram {tomogram}: how"].startswith(
            "fallback"
        )
        np.testing.assert_allclose(lines["bad"].get_ydata() + lines["good"].get_ydata(), lines["both"].get_ydata())
    latitude = places(figure_of(made["latitude"]))["tomogram 3"]
    assert (latitude.get_xlabel(), latitude.get_ylabel()) == ("angle to beam (deg)", "cc")
    assert {line.get_label() for line in latitude.lines} == {"mean", "fit", "threshold"}


PHANTOM = 'kind = "phantom"\n[object]\nblobs = 8\nradius_px = 2\n[boxes]\ncount = 6\nbox_px = 16\n'


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plots")
    (folder / "truth.toml").write_text(PHANTOM)
    assert CliRunner().invoke(app, ["run", str(folder), "--gpus", "none"]).exit_code == 0
    return folder


def told(campaign: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    monkeypatch.chdir(campaign)
    done = CliRunner().invoke(app, ["query", *words], catch_exceptions=False)
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(
    ("words", "file", "start"),
    [
        (["truth:table", "--plot"], "truth_table.png", b"\x89PNG"),
        (["truth:table", "--plot", "--where", "tag > 2"], "truth_table.png", b"\x89PNG"),
        (["truth:object", "--plot", "o.pdf"], "o.pdf", b"%PDF"),
        (["truth:object", "-o", "o.svg"], "o.svg", b"<?xml"),
        (["truth:particles:tag=2", "--plot"], "truth_particles_tag_2.png", b"\x89PNG"),
    ],
)
def test_a_picture_is_written_and_named(campaign, monkeypatch, words, file, start):
    (campaign / file).unlink(missing_ok=True)
    assert told(campaign, monkeypatch, *words) == (0, f"{file} written")
    assert (campaign / file).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["truth:table", "--plot", "o.tbl"], "o.tbl: pictures are .png .pdf .svg"),
        (["truth:table", "o.png"], "o.png: is a second thing to look at"),
        (["truth", "--plot"], "truth: name an item to draw, as in truth:table"),
        (["truth:log", "--plot"], "truth: name an item to draw"),
        (["truth:summary", "--plot"], "a summary can become .json, not .png"),
        (["truth:table", "--plot", "--json"], "--json and --plot do not go together"),
    ],
)
def test_what_cannot_be_drawn_is_told(campaign, monkeypatch, words, says):
    code, output = told(campaign, monkeypatch, *words)
    assert code == 1
    assert says in output

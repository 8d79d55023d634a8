"""alignment: what cannot be is said, before the run or in one line of it."""

import numpy as np
import pytest
from aligned import DATA, ROUND, Told, align, faults

from engine.data import ParticleArray, ParticleFacts, Table, Volume, VolumeFacts
from engine.devices import Work
from engine.faults import EngineError
from engine.kinds import alignment


def test_a_sensible_project_has_no_faults(phantom):
    assert faults(phantom["phantom:table"]) == []


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"tag": np.r_[1.5, np.arange(2, 25)]}, "tags that are not whole numbers"),
        ({"tag": np.r_[np.nan, np.arange(2, 25)]}, "tags that are not whole numbers"),
        ({"tag": np.r_[2, np.arange(2, 25)]}, "tag 2 stands in 2 rows"),
        ({"tag": np.r_[np.inf, np.arange(2, 25)]}, "1 of 24 rows have tags that are not whole numbers"),
        ({"tag": np.r_[1e300, np.arange(2, 25)]}, "1 of 24 rows have tags that are not whole numbers"),
        ({"dx": np.r_[np.zeros(23), 15]}, "1 of 24 rows have shifts that leave the box, first in row 24"),
        ({"tomo": np.r_[1.5, np.ones(23)]}, "1 of 24 rows have a number of a tomogram"),
        ({"tomo": np.nan}, "a number of a tomogram"),
        ({"reg": np.inf}, "a number of a tomogram or a region"),
        ({"apix": np.r_[-4.0, np.full(23, 4.0)]}, "1 of 24 rows have a pixel size (column apix, 36) that is negative"),
        ({"apix": np.nan}, "a pixel size (column apix, 36) that is negative or no number"),
        ({"half": np.r_[3, np.ones(23)]}, "1 of 24 rows belong to a half-set (column half) that there is not"),
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


def test_a_half_set_without_particles_is_a_fault(phantom):
    form = alignment.Project.model_validate({"data": {**DATA, "halves": "parity"}, "rounds": [ROUND]})
    found = list(alignment.check(form, Told(phantom["phantom:table"].with_columns(half=1))))
    assert [(one.code, one.key, one.what) for one in found] == [
        ("E408", ("data", "halves"), "the even half-set has no particle that takes part")
    ]
    assert not list(alignment.check(form, Told(phantom["phantom:table"])))


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


def test_poses_that_are_no_numbers_stop_a_run_with_one_line(phantom):
    table = phantom["phantom:table"]
    broken = table.with_columns(dx=np.where(table.tags == 3, np.nan, table["dx"]))
    with pytest.raises(EngineError, match=r"the table: 1 of 24 rows have poses .* row 3"):
        align({**phantom, "phantom:table": broken})

"""projects/microtubule on the real tomograms: protofilaments counted, tubulin brought into register."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import engine

PROJECTS = Path(__file__).resolve().parents[2] / "projects"
PIXEL_A = 10.52
TUBULIN_A = 40.9


@pytest.fixture(scope="module")
def campaign(real_data, tmp_path_factory):
    tomograms = real_data / "microtubule"
    if not (tomograms / "13pf_MT.tif").is_file():
        pytest.skip(f"microtubule tomograms absent: {tomograms}")
    folder = tmp_path_factory.mktemp("campaign") / "microtubule"
    folder.mkdir()
    for project in (PROJECTS / "microtubule").glob("*.toml"):
        shutil.copy(project, folder)
    (folder / "data").symlink_to(tomograms)
    engine.run([folder])
    return folder


def rotational_spectrum(volume):
    """Power of each rotational order on the outer surface, radii 126 to 142 A, summed along the axis.

    Outside, protofilaments stand apart as ridges. Further in, the missing wedge, which smears the two sides of the tube,
    moves power to the order n - 2.
    """
    centre = volume.shape[-1] // 2
    projection = volume[centre - 12 : centre + 13].mean(axis=0)
    angle = np.radians(np.arange(360))
    power = np.zeros(181)
    for radius in np.arange(12.0, 13.6, 0.25):
        ring = [centre + radius * np.sin(angle), centre + radius * np.cos(angle)]
        values = ndimage.map_coordinates(projection, ring, order=3)
        power += np.abs(np.fft.rfft(values - values.mean())) ** 2
    return power


def layer_line_height(volume):
    """Power at 1 / 40.9 A along the axis over the median of its neighbourhood, laterally up to 1 / 84 A."""
    n = volume.shape[-1]
    z, y, x = np.indices(volume.shape) - n // 2
    soft = np.clip((13.5 - np.hypot(x, y)) / 2, 0, 1) * np.clip((15 - np.abs(z)) / 3, 0, 1)
    padded = 96
    power = np.abs(np.fft.fftn((volume - volume.mean()) * soft, (padded,) * 3, axes=(0, 1, 2))) ** 2
    k = np.fft.fftfreq(padded)
    line = power[:, np.hypot(k[:, None], k) < 1 / 8].sum(axis=1)[: padded // 2]
    peak = round(padded * PIXEL_A / TUBULIN_A)
    background = np.median(np.r_[line[peak - 8 : peak - 3], line[peak + 4 : peak + 9]])
    return line[peak - 1 : peak + 2].max() / background


@pytest.mark.parametrize("protofilaments", [13, 14])
def test_the_average_shows_its_protofilaments(campaign, protofilaments):
    average = engine.query(f"{campaign}/pr_{protofilaments}:average").value
    spectrum = rotational_spectrum(average.data)
    assert 8 + int(spectrum[8:21].argmax()) == protofilaments


@pytest.mark.parametrize("protofilaments", [13, 14])
def test_alignment_raises_the_tubulin_layer_line(campaign, protofilaments):
    unaligned = layer_line_height(engine.query(f"{campaign}/unaligned_{protofilaments}:average").value.data)
    aligned = layer_line_height(engine.query(f"{campaign}/pr_{protofilaments}:average").value.data)
    print(
        f"{protofilaments} protofilaments: layer line over background {unaligned:.1f} unaligned, {aligned:.1f} aligned"
    )
    assert aligned > 2 * unaligned


def test_boxes_that_leave_the_tomogram_were_dropped_and_counted(campaign):
    summary = engine.query(f"{campaign}/boxes_13:summary").value
    assert summary["dropped, out of the tomogram"] > 0
    assert summary["boxes cut"] == len(engine.query(f"{campaign}/boxes_13:table").value)


def test_without_the_tomograms_check_says_which_file_is_missing(tmp_path):
    shutil.copy(PROJECTS / "microtubule" / "boxes_13.toml", tmp_path)
    (checked,) = engine.check([tmp_path])
    (fault,) = checked.faults
    assert 'there is no file "data/13pf_MT.tif"' in fault.what
    assert fault.line == 6

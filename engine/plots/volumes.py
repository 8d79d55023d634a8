"""A volume as three slices through its centre."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.data import Volume


def draw_slices(figure: Any, volume: Volume) -> None:
    """The slices through the box centre n // 2, in one scale of grey."""
    figure.set_size_inches(9, 3.4)
    data = volume.data
    z, y, x = (size // 2 for size in data.shape)
    slices = {
        f"z = {z} px": (data[z], "x", "y"),
        f"y = {y} px": (data[:, y], "x", "z"),
        f"x = {x} px": (data[:, :, x], "y", "z"),
    }
    low, high = (float(value) for value in np.percentile(data, [0.5, 99.5]))
    for place, (title, (pixels, across, up)) in zip(figure.subplots(1, 3), slices.items(), strict=True):
        place.imshow(pixels, cmap="gray", vmin=low, vmax=high if high > low else low + 1, origin="lower")
        place.set(title=title, xlabel=f"{across} (px)", ylabel=f"{up} (px)")
    if volume.pixel_size_A:
        figure.suptitle(f"{volume.pixel_size_A:g} Å/px", fontsize="medium")

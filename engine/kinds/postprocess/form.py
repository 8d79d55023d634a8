"""The form of a postprocess project."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from engine.kinds.form import Form, ProjectForm, Reads, VolumeReference
from engine.kinds.mask_form import Mask


class Data(Form):
    """What is read."""

    half1: VolumeReference = Field(
        description="Unfiltered average of one half-set: an address, as pr_1:average:half=odd, or a map's path"
    )
    half2: VolumeReference = Field(description="The other half's")
    pixel_size_A: float | None = Field(default=None, gt=0, description="Pixel size in A; omitted: the maps'")


class Automatic(Form):
    """A mask around what is dense in the average of the halves."""

    shape: Literal["automatic"]
    lowpass_A: float = Field(default=15.0, gt=0, description="The average is low-passed to this before, in A")
    threshold: float | None = Field(
        default=None, description="Density from which on the low-passed average is inside; omitted: by Otsu's method"
    )
    density: Literal["bright", "dark"] = Field(
        default="bright", description="Whether density is bright (positive) or dark; with dark, lower values are inside"
    )
    extend_px: float = Field(default=3.0, ge=0, description="The mask grows by this in px")
    edge_px: float = Field(default=6.0, ge=0, description="Width in px of the raised-cosine edge, outside of that")


def _kind_of_mask(value: Any) -> str:
    shape = value.get("shape") if isinstance(value, dict) else getattr(value, "shape", None)
    return "automatic" if shape == "automatic" else "given"


PostMask = Annotated[
    Annotated[Automatic, Tag("automatic")] | Annotated[Mask, Tag("given")],
    Discriminator(_kind_of_mask),
    Reads("volume"),
]


class Fsc(Form):
    """How the share of the mask in the FSC is found: again with random phases."""

    randomise_below: float = Field(
        default=0.8,
        gt=0,
        lt=1,
        description="Phases are random from the first shell on whose unmasked FSC is below this",
    )
    randomise_from_A: float | None = Field(default=None, gt=0, description="The same, from a resolution in A instead")
    when_worse: Literal["discard", "keep"] = Field(
        default="discard",
        description="The mask, when the corrected FSC is worse with it than without: "
        '"discard" goes on with the unmasked FSC, "keep" with the corrected',
    )


class Sharpening(Form):
    """What is done to the average of the halves."""

    b_factor_A2: float | None = Field(
        default=None, description="B-factor in A²; negative sharpens, 0 does nothing; omitted: by the Guinier plot"
    )
    fit_lowest_A: float = Field(default=10.0, gt=0, description="Lowest resolution of the Guinier fit in A")
    fit_highest_A: float | None = Field(
        default=None, gt=0, description="Highest resolution of the Guinier fit in A; omitted: Nyquist"
    )
    weighting: Literal["fsc", "none"] = Field(
        default="fsc", description='"fsc": each shell is weighted by sqrt(2 FSC / (1 + FSC)), "none": not at all'
    )
    lowpass_A: float | None = Field(
        default=None, gt=0, description="Low-pass of the map in A; omitted: its resolution at FSC 0.143"
    )
    lowpass_edge_fpx: float = Field(
        default=2.0, ge=0, description="Width of the low-pass's edge in Fourier pixels, centred on it"
    )


class Local(Form):
    """FSC in small windows on a grid: the resolution of each part of the map."""

    sampling_A: float = Field(default=25.0, gt=0, description="Distance between the centres of windows in A")
    radius_A: float | None = Field(default=None, gt=0, description="Radius of a window in A; omitted: sampling_A / 2")
    edge_A: float | None = Field(
        default=None, gt=0, description="Width of its raised-cosine edge, outside of that, in A; omitted: sampling_A"
    )
    randomise_from_A: float = Field(default=25.0, gt=0, description="Phases are random from this resolution on, in A")
    lowest_A: float = Field(default=50.0, gt=0, description="Worst local resolution that is told, in A")


def window_A(local: Local) -> tuple[float, float]:
    """Radius and edge of a window in A."""
    return local.radius_A or local.sampling_A / 2, local.edge_A or local.sampling_A


class Directional(Form):
    """FSC in cones of directions: whether the map is equally good from all sides."""

    half_angle_deg: float = Field(default=20.0, gt=0, le=90, description="Half the aperture of a cone in deg")
    directions: int = Field(default=100, ge=3, le=5000, description="Number of cones, evenly over half a sphere")


class Project(ProjectForm):
    """Two half maps, compared, weighted and sharpened."""

    data: Data = Field(description="What is read")
    mask: PostMask = Field(
        default=Automatic.plain(shape="automatic"),
        description="Mask of the FSC: a file or address, a shape, or automatic: around what is dense",
    )
    fsc: Fsc = Field(default=Fsc.plain(), description="How the FSC is freed of the mask's share")
    sharpening: Sharpening = Field(default=Sharpening.plain(), description="What is done to the average of the halves")
    local: Local | None = Field(default=None, description="Local resolution: give it, if only as {}, and it is made")
    directional: Directional | None = Field(
        default=None, description="FSC by direction: give it, if only as {}, and it is made"
    )

"""The band cache: every particle's low-frequency coefficients, computed once and read by every iteration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data import Particles, Spectra, Table
from engine.devices import Work, to_host
from engine.kernels.fourier import EDGE_FPX, shrunk, spectrum_block
from engine.kinds import sense
from engine.kinds.form import Adaptive, Bandpass, Form
from engine.outputs import Outputs, SpectraStream, block_bytes

MARGIN = 1.5
"""How far a block reaches, in reaches of the band: beyond it an average still has shells for its FSC to fall in."""


class Transform(Form):
    """What transforming particles needs to know: the different low-passes of the rounds."""

    pixel_size_A: float | None
    bandpasses: tuple[Bandpass, ...]


def lowpasses(bandpasses: Iterable[Bandpass]) -> tuple[Bandpass, ...]:
    """The different low-passes alone, and whether they are adaptive."""
    alone = (
        Bandpass(
            lowpass_fpx=band.lowpass_fpx,
            lowpass_A=band.lowpass_A,
            adaptive=None if band.adaptive is None else Adaptive(),
        )
        for band in bandpasses
    )
    return tuple(dict.fromkeys(alone))


def reach_fpx(bandpass: Bandpass, box_px: int, pixel_size_A: float) -> int:
    """How far the blocks of a round reach: its band and the margin, at most the last whole shell of the box."""
    _, low = bandpass.shells(box_px, pixel_size_A)
    return min((box_px - 1) // 2, int(np.ceil(MARGIN * (low + EDGE_FPX))))


def pays(reach: int, box_px: int) -> bool:
    """True when blocks take at most half of what boxes take. Otherwise a round works on boxes, cache or not."""
    return 2 * block_bytes(reach) <= 4 * box_px**3


def cached_reach(bandpasses: Iterable[Bandpass], box_px: int, pixel_size_A: float) -> int | None:
    """The largest reach that pays; None when no round's does. An adaptive low-pass may rise until it does not pay."""
    bands = list(bandpasses)
    reaches = [reach_fpx(bandpass, box_px, pixel_size_A) for bandpass in bands]
    if any(bandpass.adaptive for bandpass in bands):
        reaches += range((box_px - 1) // 2 + 1)
    return max((reach for reach in reaches if pays(reach, box_px)), default=None)


def transform(settings: Transform, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The blocks of the table's particles that take part, one after the other; none at all where they do not pay."""
    particles: Particles = inputs["particles"]
    table = all_rows(inputs)
    pixel_size_A = sense.chosen_pixel_size(settings.pixel_size_A, particles.pixel_size_A, table)
    reach = cached_reach(settings.bandpasses, particles.box_px, pixel_size_A)
    takes_part = (table["aligned"] == 1) | (table["averaged"] == 1)
    tags = np.sort(table.tags[takes_part]) if reach is not None else np.empty(0, dtype=np.int64)
    source = BoxSpectra(particles, reach or 0, work)

    def spectra() -> Iterator[tuple[np.ndarray, float]]:
        for done, found in enumerate(work.map(source.read, tags.tolist(), "particle {}".format), start=1):
            yield found
            work.progress(done, len(tags))

    return {"spectra": SpectraStream(tags, particles.box_px, reach or 0, spectra())}


def all_rows(inputs: Mapping[str, Any]) -> Table:
    """The one starting table, or the rows of all of them; a particle of several stands once, taking part if it does in one."""
    first, *others = (value for name, value in sorted(inputs.items()) if name.startswith("table"))
    whole: Table = first
    for table in others:
        whole = whole.joined(table)
    if not others:
        return whole
    takes_part = (whole["aligned"] == 1) | (whole["averaged"] == 1)
    order = np.lexsort((~takes_part, whole["tag"]))
    _, places = np.unique(whole["tag"][order], return_index=True)
    return whole.where(order[places])


@dataclass(frozen=True, eq=False)
class BoxSpectra:
    """Spectra that are computed from the boxes whenever they are asked for: the same bits as those of the cache."""

    particles: Particles
    reach: int
    work: Work

    @property
    def box_px(self) -> int:
        return self.particles.box_px

    def __contains__(self, tag: int) -> bool:
        return tag in self.particles.tags

    def block(self, tag: int) -> Any:
        return spectrum_block(self.work.array(self.particles.read(tag)), self.reach)

    def variance(self, tag: int) -> float:
        return float(self.particles.read(tag).var(dtype=np.float64))

    def read(self, tag: int) -> tuple[np.ndarray, float]:
        """Block and variance, on the host; the box is read once. A box that is no use gives one that is no use."""
        box = self.particles.read(tag)
        with np.errstate(invalid="ignore", over="ignore"):
            return to_host(spectrum_block(self.work.array(box), self.reach)), float(box.var(dtype=np.float64))


@dataclass(frozen=True, eq=False)
class InnerSpectra:
    """The inner part of spectra that reach further: a round's result depends on its own reach, not on the cache's."""

    spectra: Spectra
    reach: int

    @property
    def box_px(self) -> int:
        return self.spectra.box_px

    def __contains__(self, tag: int) -> bool:
        return tag in self.spectra

    def block(self, tag: int) -> Any:
        return shrunk(self.spectra.block(tag), self.reach)

    def variance(self, tag: int) -> float:
        return self.spectra.variance(tag)


def spectra_of(particles: Particles, tags: np.ndarray, cache: Spectra | None, reach: int, work: Work) -> Spectra:
    """The particles' spectra out to a reach: from the cache where it holds them all, else from the boxes."""
    if cache is not None and cache.reach >= reach and all(int(tag) in cache for tag in tags):
        return InnerSpectra(cache, reach)
    return BoxSpectra(particles, reach, work)

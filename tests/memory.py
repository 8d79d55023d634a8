"""Steps run in memory: what `engine run` does, without files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.address import Address
from engine.data import HeldTomogram, Maps, ParticleArray, Volume
from engine.devices import Work
from engine.kinds import KINDS
from engine.outputs import SpectraStream, Stream
from engine.step import StepItem


def run(
    kind: str, values: dict[str, Any], given: dict[str, Any] | None = None, work: Work | None = None
) -> dict[str, Any]:
    """Every step's outputs by step name. given: values of the addresses and paths that the project names, by their text."""
    module = KINDS[kind]
    made: dict[str, Any] = {}
    for step in module.unfold(module.Project.model_validate(values)):
        inputs = {}
        for name, source in step.inputs.items():
            if isinstance(source.source, StepItem):
                inputs[name] = made[source.source.step][source.source.item]
            else:
                value = (given or {})[str(source.source)]
                inputs[name] = as_read(source.what, value)
        outputs = dict(step.function(step.settings, inputs, work or Work()))
        assert tuple(sorted(outputs)) == tuple(sorted(step.makes)), step.name
        made[step.name] = {item: in_memory(value) for item, value in outputs.items()}
    return made


def as_read(what: str, value: Any) -> Any:
    """A volume as it is read where a tomogram or maps are; anything else as it is."""
    if not isinstance(value, Volume):
        return value
    return {"tomogram": HeldTomogram, "maps": lambda one: Maps((one,), (0,))}.get(what, lambda one: one)(value)


def in_memory(value: Any) -> Any:
    """A stream of boxes or spectra as what is held in memory; anything else as it is."""
    if isinstance(value, SpectraStream):
        return SpectraHeld(value.box_px, value.reach, dict(zip(value.tags.tolist(), value.spectra, strict=True)))
    if isinstance(value, Stream):
        return ParticleArray(np.stack(list(value.boxes)), value.tags, value.pixel_size_A)
    return value


@dataclass(frozen=True, eq=False)
class SpectraHeld:
    """Spectra in memory, by tag."""

    box_px: int
    reach: int
    held: dict[int, tuple[np.ndarray, float]]

    def __contains__(self, tag: int) -> bool:
        return int(tag) in self.held

    def block(self, tag: int) -> np.ndarray:
        return self.held[tag][0]

    def variance(self, tag: int) -> float:
        return self.held[tag][1]


def addresses(project: str, outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs of a step by the addresses under which other projects know them."""
    return {str(Address(project, item.rsplit("/", 1)[-1])): value for item, value in outputs.items()}

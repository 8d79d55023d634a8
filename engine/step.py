"""A step: the smallest work that is stored, and never half done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel

from engine.address import Address
from engine.data import Curve, ParticleFacts, Table, Volume
from engine.devices import Work

What = Literal["particles", "table", "volume", "array"]


@dataclass(frozen=True)
class StepItem:
    """An item of an earlier step of the same project."""

    step: str
    item: str


@dataclass(frozen=True)
class Input:
    """Something a step reads: what it is, and where it comes from (a path is relative to the campaign folder)."""

    what: What
    source: StepItem | Address | PurePath


@dataclass(frozen=True, eq=False)
class Stream:
    """Particles too big for memory, written box by box in the order of their tags.

    boxes yields len(tags) arrays (box_px, box_px, box_px) float32.
    """

    tags: np.ndarray
    box_px: int
    pixel_size_A: float
    boxes: Iterator[np.ndarray]


Item = Volume | Table | Curve | Stream | np.ndarray | Mapping[str, Any]
Outputs = Mapping[str, Item]
"""Item name to value. Items of a reference are named `refs/001/average`; a mapping is a summary of numbers and texts."""


@dataclass(frozen=True)
class Cost:
    """What a step does for each of its particles, for the forecast.

    rotations are tried for a particle; seconds(box in px, pixel size in A, number of particles) measures how long one core
    takes to align one; words, of the same, say how. Without them each particle is only read and averaged. A step that makes
    its particles itself says so in made.
    """

    rotations: int = 0
    seconds: Callable[[int, float, int], float] | None = None
    made: ParticleFacts | None = None
    words: Callable[[int, float, int], str] | None = None


@dataclass(frozen=True)
class Step:
    """One piece of a plan.

    name is also the file's name inside the store ("half_even/ite_0003"). function takes (settings, inputs, work), where
    inputs maps the names of `inputs` to opened values, and returns the items named by makes. version is raised by hand
    whenever the same settings and inputs give other numbers than before.
    """

    name: str
    function: Callable[[Any, Mapping[str, Any], Work], Outputs]
    version: int
    settings: BaseModel
    makes: tuple[str, ...]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    labels: Mapping[str, int | str] = field(default_factory=dict)
    cost: Cost | None = None

    @property
    def function_name(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def settings_json(self) -> str:
        return json.dumps(self.settings.model_dump(mode="json"), sort_keys=True)

    def key(self, input_keys: Mapping[str, str]) -> str:
        """Hash of all that decides the result: function, version, settings, and the keys of the inputs."""
        parts = [self.function_name, self.version, self.settings_json, sorted(input_keys.items())]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

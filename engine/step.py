"""A step: the smallest work that is stored, and never half done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from engine.address import Address, is_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    from engine.data import ParticleFacts
    from engine.devices import Work
    from engine.outputs import Outputs

What = Literal[
    "particles",
    "weights",
    "spectra",
    "table",
    "poses",
    "volume",
    "maps",
    "facts",
    "tomogram",
    "catalogue",
    "marks",
    "array",
    "source",
    "residues",
]
"""What a step reads; facts are what a volume's header tells, a tomogram is opened only; marks are points from a file, a table
or a curve of spheres; poses are a table whose rows are no particles: of averages, or one move; maps are those of all the
tomograms that an address means; residues are an atomic model."""


class Named(NamedTuple):
    """An item that a kind makes: what it is, and its meaning in words."""

    what: Literal["volume", "table", "particles", "curve", "array", "summary", "catalogue"]
    meaning: str


@dataclass(frozen=True)
class StepItem:
    """An item of an earlier step of the same project."""

    step: str
    item: str


@dataclass(frozen=True)
class Input:
    """Something a step reads: what it is, and where it comes from (a path is relative to the campaign folder).

    tomo: of a table only the rows of that tomogram.
    """

    what: What
    source: StepItem | Address | PurePath
    tomo: int | None = None


def of_reference(number: int, item: str = "") -> str:
    """The path of an item of one reference, counted from 1; without an item the folder of them."""
    return f"refs/{number:03d}/{item}".rstrip("/")


def item_of(path: str) -> str:
    """The item's name at the end of its path, whatever reference it is of."""
    return path.rsplit("/", 1)[-1]


def reference_of(path: str) -> int | None:
    """The reference that an item's path belongs to; None for what belongs to none."""
    folder, _, rest = path.partition("/")
    return int(rest.partition("/")[0]) if folder == "refs" else None


@dataclass(frozen=True)
class Share:
    """What each particle costs: seconds of one core, bytes read, bytes kept on disk. And what the step needs besides.

    worker_bytes: held by each worker at a time; shared_bytes: held once; once_seconds: taken once, by one core, however many
    workers there are. None of them grows with the number of particles.
    """

    seconds: float = 0.0
    read_bytes: int = 0
    kept_bytes: int = 0
    worker_bytes: int = 0
    shared_bytes: int = 0
    once_seconds: float = 0.0

    def __add__(self, other: Share) -> Share:
        """Both, one after the other: memory is freed between."""
        return Share(
            self.seconds + other.seconds,
            self.read_bytes + other.read_bytes,
            self.kept_bytes + other.kept_bytes,
            max(self.worker_bytes, other.worker_bytes),
            max(self.shared_bytes, other.shared_bytes),
            self.once_seconds + other.once_seconds,
        )

    def __rmul__(self, times: int) -> Share:
        """So many times the same, one after the other."""
        return Share(
            times * self.seconds,
            times * self.read_bytes,
            times * self.kept_bytes,
            self.worker_bytes,
            self.shared_bytes,
            times * self.once_seconds,
        )


def _no_share(facts: ParticleFacts) -> Share:
    return Share()


@dataclass(frozen=True)
class Cost:
    """What a step does for each of its particles, for the forecast.

    rotations are tried for a particle; share tells the rest, from a short measurement; words say which search is in force. A
    step that makes its particles itself says so in made. A step without particles tells in whole what all of it costs, of the
    side of a box in px and its pixel size in A (0: unknown); box is that side, or the name of the input that has it; searches
    says that it searches poses all the same. A step that cuts boxes around the rows of its input `table` tells their side in
    cut_px; one that works on its whole input `tomogram` tells in of_tomogram what that costs, of its shape.
    """

    rotations: int = 0
    share: Callable[[ParticleFacts], Share] = _no_share
    made: ParticleFacts | None = None
    words: Callable[[ParticleFacts], str] | None = None
    whole: Callable[[int, float], Share] | None = None
    box: int | str = ""
    searches: bool = False
    cut_px: int = 0
    of_tomogram: Callable[[tuple[int, int, int]], Share] | None = None

    @property
    def needs_loops(self) -> bool:
        """Whether compiled loops will run: over particles they do, unless these are only cut."""
        return self.searches or (self.whole is None and self.of_tomogram is None and not self.cut_px)


class StepOutline(Protocol):
    """What planning and finding need of a step: what decides its result, not how it is done.

    settings_json: its settings with sorted keys. rotations: how many are tried for a particle; None where no cost is told.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...

    @property
    def function_name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def settings_json(self) -> str: ...

    @property
    def makes(self) -> tuple[str, ...]: ...

    @property
    def inputs(self) -> Mapping[str, Input]: ...

    @property
    def labels(self) -> Mapping[str, int | str]: ...

    @property
    def rotations(self) -> int | None: ...

    @property
    def scratch(self) -> bool: ...


@dataclass(frozen=True)
class Step:
    """One piece of a plan.

    name is also the file's name inside the store ("half_even/ite_0003"). function takes (settings, inputs, work), where
    inputs maps the names of `inputs` to opened values, and returns the items named by makes. version is raised by hand
    whenever the same settings and inputs give other numbers than before.

    pixel_size_A: of what it makes, where the form tells it; else it is that of the tomogram that is read, times bin_factor.

    A scratch step saves time and decides nothing: its items say again, in a form that is quicker to read, what the other
    inputs of its readers say. It is done only when a step that reads it is, it is no part of that step's key, no address
    names it, and its file may be deleted at any time.
    """

    name: str
    function: Callable[[Any, Mapping[str, Any], Work], Outputs]
    version: int
    settings: BaseModel
    makes: tuple[str, ...]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    labels: Mapping[str, int | str] = field(default_factory=dict)
    cost: Cost | None = None
    scratch: bool = False
    pixel_size_A: float = 0.0
    bin_factor: int = 1

    def __post_init__(self) -> None:
        refuse_bad_names(self)

    @property
    def function_name(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def settings_json(self) -> str:
        return as_json(self.settings.model_dump(mode="json"))

    @property
    def rotations(self) -> int | None:
        return self.cost.rotations if self.cost else None


def refuse_bad_names(step: StepOutline) -> None:
    """A ValueError where a name of the step would lead out of the folder of results."""
    words = [value for value in step.labels.values() if isinstance(value, str)]
    for name in (step.name, *step.makes, *words):
        if not all(map(is_name, name.split("/"))):
            raise ValueError(f"{name!r} cannot name a step, an item or a label: it becomes part of a path")


def key_of(function_name: str, version: int, settings_json: str, input_keys: Mapping[str, str]) -> str:
    """Hash of all that decides a step's result: function, version, settings, and the keys of the inputs."""
    parts = [function_name, version, settings_json, sorted(input_keys.items())]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def as_json(settings: Any) -> str:
    """Settings as they are hashed."""
    return json.dumps(settings, sort_keys=True)

"""A toy project: three chained iterations from a table, with a volume, a curve and a stream of boxes, in no time."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pydantic import BaseModel

from engine.address import parse
from engine.data import Curve, Table, Volume
from engine.faults import EngineError
from engine.outline import Outline
from engine.outputs import Stream
from engine.step import Input, Named, Step, StepItem

ITEMS = {
    "average": Named("volume", "the average"),
    "table": Named("table", "the table"),
    "fsc": Named("curve", "the FSC"),
    "particles": Named("particles", "the boxes"),
    "summary": Named("summary", "numbers"),
    "mask": Named("volume", "a mask that no step makes"),
}


class Cone(BaseModel):
    step_deg: float = 5.0


class Settings(BaseModel):
    cone: Cone = Cone()
    number: int = 0


@dataclass(frozen=True)
class ToyCompute:
    workers: int = 1
    gpus: tuple[int, ...] = ()
    chunk: int = 4


@dataclass(frozen=True)
class ToyForm:
    compute: ToyCompute = ToyCompute()


@dataclass(frozen=True)
class ToyProject(Outline[Step]):
    """A project with steps given outright."""

    path: Path
    steps: list[Step]
    neighbours: dict[str, Any] = field(default_factory=dict)
    kind: str = "toy"
    form: ToyForm = ToyForm()

    items = ITEMS
    references = ()
    is_for_each = False

    @property
    def own_steps(self) -> list[Step]:
        return self.steps

    def beside(self, path: Path) -> ToyProject:
        raise EngineError(f"{path}: a toy has no files")

    def neighbour(self, address: Any) -> ToyProject:
        if address.project not in self.neighbours:
            raise EngineError(f"{address}: no such neighbour")
        return self.neighbours[address.project]


def start(settings: Any, inputs: Any, work: Any) -> Any:
    """Eight boxes of noise as a stream, and their table."""
    generator = np.random.default_rng(7)

    def boxes() -> Iterator[np.ndarray]:
        for done in range(8):
            _wait()
            work.progress(done + 1, 8)
            yield generator.normal(size=(8, 8, 8)).astype(np.float32)

    return {
        "particles": Stream(np.arange(1, 9), 8, 1.5, boxes()),
        "table": Table.blank(8, apix=1.5, x=np.arange(8.0)),
        "refs/001/average": Volume(np.zeros((8, 8, 8), np.float32), 1.5),
        "summary": {"particles": 8},
    }


def iterate(settings: Any, inputs: Any, work: Any) -> Any:
    """An average that depends on all that came before."""
    total = np.array(inputs["reference"].data)
    particles, table = inputs["particles"], inputs["table"]
    for done, tag in enumerate(particles.tags, start=1):
        _wait()
        total = (total * np.float32(0.9) + particles.read(int(tag)) * np.float32(settings.cone.step_deg)).astype(
            np.float32
        )
        work.progress(done, len(particles.tags))
    cc = np.tanh(table["cc"] + settings.number / 10 + np.arange(len(table)) / 20)
    return {
        "table": table.with_columns(cc=cc),
        "refs/001/average": Volume(total, 1.5),
        "refs/001/fsc": Curve({"shell": np.arange(4.0), "fsc": np.linspace(1, 0, 4)}, {"resolution_at_0.143_A": 9.5}),
        "summary": {"mean cc": float(cc.mean())},
    }


def _wait() -> None:
    time.sleep(float(os.environ.get("TOY_WAIT_S", "0")))


def steps(cones: tuple[float, ...] = (5.0, 5.0, 5.0), version: int = 1, half: str = "") -> list[Step]:
    """ite_0000 makes the boxes; each further iteration reads them and the one before."""
    folder = f"half_{half}/" if half else ""
    extra = {"half": half} if half else {}
    made = ("particles", "table", "refs/001/average", "summary")
    first = Step(f"{folder}ite_0000", start, 1, Settings(), made, labels={"ite": 0, "round": 0, **extra})
    chain = [first]
    for number, cone in enumerate(cones, start=1):
        before = chain[-1].name
        chain.append(
            Step(
                f"{folder}ite_{number:04d}",
                iterate,
                version,
                Settings(cone=Cone(step_deg=cone), number=number),
                ("table", "refs/001/average", "refs/001/fsc", "summary"),
                {
                    "particles": Input("particles", StepItem(first.name, "particles")),
                    "table": Input("table", StepItem(before, "table")),
                    "reference": Input("volume", StepItem(before, "refs/001/average")),
                },
                {"ite": number, "round": 1, **extra},
            )
        )
    return chain


def with_scratch(made: ToyProject, number: int = 0) -> ToyProject:
    """The same project with a scratch step before its iterations, whose item each of them reads."""
    scratch = Step("kept", keep, 1, Settings(number=number), ("kept",), scratch=True)
    source = {"kept": Input("array", StepItem("kept", "kept"))}
    later = [dataclasses.replace(step, inputs={**step.inputs, **source}) for step in made.steps[1:]]
    return dataclasses.replace(made, steps=[made.steps[0], scratch, *later])


def keep(settings: Any, inputs: Any, work: Any) -> Any:
    return {"kept": np.arange(4)}


def project(folder: Path, name: str = "pr_1", **options: Any) -> ToyProject:
    return ToyProject(folder / f"{name}.toml", steps(**options))


def follower(folder: Path, of: ToyProject, name: str = "pr_2") -> ToyProject:
    """A project that goes on from the last iteration of another, with a mask from a file."""
    sources = {
        "particles": Input("particles", parse(f"{of.name}:particles:ite=0")),
        "table": Input("table", parse(f"{of.name}:table")),
        "reference": Input("volume", parse(f"{of.name}:a")),
    }
    made = ("table", "refs/001/average", "refs/001/fsc", "summary")
    only = Step("ite_0001", iterate, 1, Settings(number=9), made, sources, {"ite": 1, "round": 1})
    return ToyProject(folder / f"{name}.toml", [only], {of.name: of})


def with_file_input(made: ToyProject, file: str) -> ToyProject:
    """The same project, whose first step also depends on a file."""
    first = dataclasses.replace(made.steps[0], inputs={"list": Input("table", PurePosixPath(file))})
    return dataclasses.replace(made, steps=[first, *made.steps[1:]])


def use(monkeypatch: Any, *projects: ToyProject) -> None:
    """Lets plan, run and query meet these projects in place of TOML files."""
    known = {one.path: one for one in projects}

    monkeypatch.setattr("engine.run.campaign", lambda paths: [known[Path(path)] for path in paths])
    monkeypatch.setattr("engine.query.outline", lambda path: known[Path(path)])
    for one in projects:
        one.path.touch()

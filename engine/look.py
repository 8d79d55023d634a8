"""Look: what files and neighbours tell without being read: kinds.form.Look."""

from __future__ import annotations

from engine import files
from engine.address import Address, is_address, parse
from engine.data import Marks, ParticleFacts, Particles, Source, Table, VolumeFacts, WeightFacts
from engine.plan import locate
from engine.project import Project, neighbour
from engine.step import What
from engine.store import Store

Known = ParticleFacts | Table | VolumeFacts | WeightFacts | files.Markers | Marks


class FileLook:
    """Answers about files from their headers, about neighbours from their stores; each question is asked once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[tuple[str, str], Known | None] = {}

    def particles(self, text: str) -> ParticleFacts | None:
        found = self.ask("particles", text)
        return found if isinstance(found, ParticleFacts) else None

    def table(self, text: str) -> Table | None:
        found = self.ask("table", text)
        return found if isinstance(found, Table) else None

    def volume(self, text: str) -> VolumeFacts | None:
        found = self.ask("volume", text)
        return found if isinstance(found, VolumeFacts) else None

    def weights(self, text: str) -> WeightFacts | None:
        found = self.ask("weights", text)
        return found if isinstance(found, WeightFacts) else None

    def markers(self, text: str) -> files.Markers:
        return files.read_markers(self._project.campaign / text)

    def marks(self, text: str) -> Marks | None:
        found = self.ask("marks", text)
        return found if isinstance(found, Marks) else None

    def source(self, name: str) -> Source:
        return files.read_source(self._project.campaign / name)

    def ask(self, what: What, text: str) -> Known | None:
        """What is known of the named thing; None when its project has not run yet."""
        if (what, text) not in self._known:
            known = self._stored(what, parse(text)) if is_address(text) else self._file(what, text)
            self._known[what, text] = known
        return self._known[what, text]

    def _file(self, what: What, text: str) -> Known:
        path = self._project.campaign / text
        if what == "table":
            return files.read_table(path)
        if what == "volume":
            return files.volume_facts(path)
        if what == "marks":
            return files.read_marks(path)
        if what == "weights":
            return files.weight_facts(path)
        if what == "markers":
            return files.read_markers(path)
        return files.particle_facts(path)

    def _stored(self, what: What, address: Address) -> Known | None:
        other = neighbour(self._project, address)
        store = Store(other.store_folder)
        found = locate(other, address, store.step_names())
        if not found:
            return None
        step, item = found[-1]
        if what == "volume":
            return store.volume_facts(step.name, item)
        if what == "particles":
            return store.particle_facts(step.name, item)
        value = store.read(step.name, item)
        if what == "marks":
            return files.as_marks(value, str(address))
        if what == "weights" and isinstance(value, Particles):
            return WeightFacts(value.tags, value.box_px)
        return value if isinstance(value, Table) else None

"""What is wrong with the number of references of an alignment project, and with what only several of them can use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.data import Table
from engine.faults import Fault, Key
from engine.kinds.alignment.classes import are_strangers
from engine.kinds.alignment.form import Project


def faults(project: Project) -> Iterator[Fault]:
    """Lists of unequal length, a number that is not theirs, and settings that several references need or cannot have."""
    for number, settings in enumerate(project.rounds):
        if settings.swap_by != "whole" and not settings.swap_references:
            key = ("rounds", number, "swap_by")
            yield Fault(
                key,
                "nothing is swapped in this round",
                "swap_references = true, or remove it",
                code="E302",
                also=((*key[:-1], "swap_references"),),
            )
    found = list(_numbers(project))
    yield from found
    if not found:
        yield from _one(project) if project.data.n_references == 1 else _several(project)


def keys(name: str, value: str | tuple[str, ...] | None) -> list[Key]:
    """The TOML keys of what data.table or data.template names."""
    if value is None:
        return []
    return [("data", name)] if isinstance(value, str) else [("data", name, number) for number in range(len(value))]


def too_few(project: Project, table: Table | None) -> Iterator[Fault]:
    """Fewer particles than references that they are dealt to."""
    data = project.data
    if not data.is_dealt or table is None:
        return
    n = int(((table["aligned"] == 1) | (table["averaged"] == 1)).sum())
    if n < data.n_references:
        yield Fault(
            ("data", "references"),
            f"{n} particles cannot be dealt to {data.n_references} references",
            "ask for fewer",
            code="E312",
        )


def strangers(project: Project, tables: Sequence[Table | None]) -> Iterator[Fault]:
    """Particles that shall swap, where each stands in one table alone."""
    known = [table for table in tables if table is not None]
    if is_swapping(project) and len(known) == len(tables) and are_strangers(known):
        what = "no particle stands in two of these tables, and swap_references lets it go only where it has a pose"
        yield Fault(("data", "table"), what, "one table of all particles", code="E407")


def is_swapping(project: Project) -> bool:
    """Whether references compete in any round."""
    return any(settings.swap_references for settings in project.rounds)


def _numbers(project: Project) -> Iterator[Fault]:
    data = project.data
    for name in ("table", "template"):
        if getattr(data, name) == ():
            yield Fault(("data", name), "is an empty list", "name one for each reference", code="E303")
            return
    templates, tables = len(data.templates), len(data.tables)
    if tables > 1 and templates > 0 and templates != tables:
        yield Fault(
            ("data", "table"),
            f"{_count(tables, 'table')} for {_count(templates, 'template')}",
            "one table for all references, or one for each",
            code="E312",
            also=(("data", "template"),),
        )
        return
    listed = max(templates, tables)
    if data.references and listed > 1 and listed != data.references:
        what = _count(templates, "template") if templates > 1 else _count(tables, "table")
        yield Fault(
            ("data", "references"),
            f"{data.references} references, but {what}",
            "remove it: the list tells how many",
            code="E302",
            also=(("data", "template" if templates > 1 else "table"),),
        )
    elif data.references and templates == 1:
        yield Fault(
            ("data", "references"),
            f"{data.references} references cannot start from one template: they would stay the same",
            f"a list of {data.references} templates; or no template, and the particles are dealt to them at random",
            code="E312",
            also=(("data", "template"),),
        )


def _one(project: Project) -> Iterator[Fault]:
    for number, settings in enumerate(project.rounds):
        if settings.swap_references:
            yield Fault(
                ("rounds", number, "swap_references"),
                "there is one reference, particles have nowhere to go",
                "data.template = [ … ] lists several, or data.references = 2",
                code="E302",
            )
    if project.masks.classification is not None:
        yield Fault(
            ("masks", "classification"),
            "serves to choose among references, and there is one",
            "remove the mask",
            code="E302",
        )


def _several(project: Project) -> Iterator[Fault]:
    if project.data.halves != "none":
        yield Fault(
            ("data", "halves"),
            "half-sets and several references do not go together in one project",
            'classify with halves = "none", then a project with halves for each class: data.table = "…:table:ref=1"',
            code="E301",
            also=(("data", "template"), ("data", "references")),
        )
    if project.hooks.after_iteration is not None:
        yield Fault(
            ("hooks", "after_iteration"), "follows the iterations of one reference only", "remove it", code="E301"
        )
    templates = project.data.templates
    twice = next((number for number, text in enumerate(templates) if text in templates[:number]), None)
    if twice is not None and len(project.data.tables) == 1:
        yield Fault(
            ("data", "template", twice),
            f"is template no. {templates.index(templates[twice]) + 1} once more: with one table these references stay the same",
            "another template; or data.references and no template, and the particles are dealt to them at random",
            code="E311",
            also=(("data", "template", templates.index(templates[twice])),),
        )
    if project.masks.classification is not None and not is_swapping(project):
        yield Fault(
            ("masks", "classification"),
            "serves to choose among references, and no round has swap_references = true",
            "remove the mask, or let particles swap",
            code="E302",
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

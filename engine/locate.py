"""Which steps an address means."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypeVar

from engine.address import LAST, Address
from engine.each import LABEL
from engine.faults import EngineError
from engine.outline import Outline
from engine.step import StepOutline, What, of_reference, reference_of

S = TypeVar("S", bound=StepOutline)

JOINED = ("particles", "weights", "table", "marks", "catalogue", "maps")
"""What is read as one thing where an address names several tomograms."""


def locate(project: Outline[S], address: Address, complete: Iterable[str] | None = None) -> list[tuple[S, str]]:
    """The steps that the address means and the path of its item in each, in the order of tomograms, iterations, references.

    complete: names of the steps that count, all planned ones when None; without `ite` the last of them is meant. It may
    leave the list empty. What the project can never have is an EngineError that says what there is.
    """
    counting = None if complete is None else set(complete)
    found = [_of_one_tomogram(address, part, counting) for part in _by_tomogram(project, address)]
    return [pair for part in found for pair in part]


def _of_one_tomogram(
    address: Address, makers: Sequence[tuple[S, str]], complete: Set[str] | None
) -> list[tuple[S, str]]:
    makers = _of_half(address, makers)
    chosen = _of_reference(address, makers)
    numbers = sorted({int(step.labels["ite"]) for step, _ in chosen if "ite" in step.labels})
    _check_iterations(address, numbers)
    counting = chosen if complete is None else [pair for pair in chosen if pair[0].name in complete]
    if address.ite == LAST or not numbers:
        return [pair for pair in counting if pair[0] is counting[-1][0]]
    by_number: dict[int, list[tuple[S, str]]] = {}
    for pair in counting:
        if "ite" in pair[0].labels:
            by_number.setdefault(int(pair[0].labels["ite"]), []).append(pair)
    return [pair for number in address.ite.choose(sorted(by_number)) for pair in by_number[number]]


def _makers(project: Outline[S], address: Address) -> Mapping[int | None, Sequence[tuple[S, str]]]:
    """Those of the item, by tomogram."""
    if address.item in project.makers:
        return project.makers[address.item]
    if address.item in project.items:
        made = ", ".join(sorted(project.makers))
        raise EngineError(f"{address}: {project.name}, as it is set, makes no {address.item}; it makes {made}")
    close = difflib.get_close_matches(address.item, list(project.items), n=1)
    nearest = f" (did you mean {close[0]!r}?)" if close else ""
    have = ", ".join(project.items)
    raise EngineError(f"{address}: {project.name} has no item {address.item!r}{nearest}; it has {have}")


def _by_tomogram(project: Outline[S], address: Address) -> list[Sequence[tuple[S, str]]]:
    """The makers of each tomogram that is meant; all of them together where results are not kept by tomogram."""
    makers = _makers(project, address)
    if address.tomo and len(address.tomo.listed) == 1 and address.tomo.listed[0] in makers:
        return [makers[address.tomo.listed[0]]]  # at once: a project of each tomogram asks for every one
    there = sorted(number for number in makers if number is not None)
    if not there:
        if address.tomo is not None:
            raise EngineError(f"{address}: {address.project} is not kept by tomogram (leave out tomo)")
        return list(makers.values())
    wanted = there if address.tomo is None else address.tomo.choose(there)
    absent = [number for number in address.tomo.listed if number not in there] if address.tomo else []
    if absent or not wanted:
        missing = f"tomogram {absent[0]}" if absent else "such tomogram"
        raise EngineError(f"{address}: no {missing}; there are {', '.join(map(str, there))}")
    return [makers[number] for number in wanted]


def _of_half(address: Address, makers: Sequence[tuple[S, str]]) -> list[tuple[S, str]]:
    chosen = [(step, path) for step, path in makers if step.labels.get("half") == address.half]
    if chosen:
        return chosen
    halves = sorted({str(step.labels["half"]) for step, _ in makers if "half" in step.labels})
    if address.half is None:
        raise EngineError(f"{address}: say which half: {' or '.join(f'half={half}' for half in halves)}")
    there = f"only {' and '.join(halves)}" if halves else "no halves"
    raise EngineError(f"{address}: {address.item} has {there} here")


def _of_reference(address: Address, makers: list[tuple[S, str]]) -> list[tuple[S, str]]:
    """Those of the references meant; where none is named the one of all references, else that of the first."""
    there = sorted({number for _, path in makers if (number := reference_of(path)) is not None})
    if address.ref is None:
        first = f"{of_reference(there[0])}/{address.item}" if there else ""
        return [
            (step, path) for step, path in makers if path == (address.item if address.item in step.makes else first)
        ]
    if not there:
        raise EngineError(f"{address}: {address.item} is not kept by reference (leave out ref)")
    wanted = address.ref.choose(there)
    absent = [number for number in address.ref.listed if number not in there]
    if absent or not wanted:
        missing = f"reference {absent[0]}" if absent else "such reference"
        raise EngineError(f"{address}: no {missing}; there are {', '.join(map(str, there))}")
    return [(step, path) for step, path in makers if reference_of(path) in wanted]


def _check_iterations(address: Address, numbers: list[int]) -> None:
    if not numbers:
        if address.ite.listed or address.ite.last is not None:
            raise EngineError(f"{address}: {address.item} has no iterations here (leave out ite)")
        return
    absent = [number for number in address.ite.listed if number not in numbers]
    if absent or not address.ite.choose(numbers):
        there = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
        raise EngineError(
            f"{address}: {address.item} is made in ite {there}, not in {absent[0] if absent else 'that range'}"
        )


def sources_of(other: Outline[S], address: Address, what: What) -> list[tuple[S, str]]:
    """The step of the neighbour that an address in a TOML means, and its item's path; of each tomogram, of what is joined."""
    found = locate(other, address)
    n_parts = len({step.labels.get(LABEL) for step, _ in found}) if what in JOINED else 1
    if len(found) != n_parts:
        more = " and one tomo" if what not in JOINED and any(LABEL in step.labels for step, _ in found) else ""
        raise EngineError(f"{address}: an input is one item, this names {len(found)} (give {one_of(address)}{more})")
    return found


def one_of(address: Address) -> str:
    """What makes one result of an address that names several."""
    return "one ite" if address.ref is None else "one ite and one ref"

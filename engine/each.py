"""One project for each tomogram: its steps once for every number, each reading what belongs to that tomogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.address import Address, Numbers
from engine.step import Input, StepItem, StepOutline, What

FOLDER = "tomo"
LABEL = "tomo"

Kept = Mapping[tuple[str, str], tuple[int, ...]]
"""Project and item of what is kept by tomogram: the numbers of the tomograms."""


S = TypeVar("S", bound=StepOutline)

TAGS_PER_TOMOGRAM = 1_000_000


def first_tag(number: int) -> int:
    """Where a tomogram's tags begin that are given to new points of each, so that all of them are there once."""
    return 1 + TAGS_PER_TOMOGRAM * number


def folder_of(number: int) -> str:
    """The folder of a tomogram's steps inside the store, also the first part of their names."""
    return f"{FOLDER}_{number:03d}"


def numbers_in(steps: Sequence[StepOutline]) -> tuple[int, ...]:
    """The tomograms by which steps are kept, ascending; none when they are not."""
    return tuple(sorted({int(step.labels[LABEL]) for step in steps if LABEL in step.labels}))


def for_each(steps: Sequence[S], numbers: Sequence[int], kept: Kept) -> list[S]:
    """The steps of all the tomograms, one tomogram after the other.

    kept: what is read that its project keeps by tomogram. What is read from those is that of the same
    tomogram; of other tables the rows of the tomogram are read; anything else is the same for all.
    """
    return [_of(step, number, kept) for number in numbers for step in steps]


def _of(step: S, number: int, kept: Kept) -> S:
    return replace(
        step,
        name=f"{folder_of(number)}/{step.name}",
        inputs={name: _input_of(one, number, kept) for name, one in step.inputs.items()},
        labels={**step.labels, LABEL: number},
    )


def _input_of(one: Input, number: int, kept: Kept) -> Input:
    source = one.source
    if isinstance(source, StepItem):
        return replace(one, source=replace(source, step=f"{folder_of(number)}/{source.step}"))
    if isinstance(source, Address) and (source.project, source.item) in kept:
        return one if is_fixed(one.what, source) else replace(one, source=of_tomogram(source, number))
    return replace(one, tomo=number) if one.what == "table" else one


def is_fixed(what: What, address: Address) -> bool:
    """Whether all tomograms read the same: the map or the move of one that is named, such as a template."""
    return what in ("volume", "poses") and address.tomo is not None and len(address.tomo.listed) == 1


def of_tomogram(address: Address, number: int) -> Address:
    """The address narrowed to one tomogram."""
    words = [part for part in str(address).split(":") if not part.startswith(f"{LABEL}=")]
    return replace(address, tomo=Numbers(listed=(number,)), text=":".join([*words, f"{LABEL}={number}"]))

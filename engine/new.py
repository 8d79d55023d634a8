"""New project files: every key with its default and a line that says what it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.examples import EXAMPLES
from engine.faults import EngineError
from engine.kinds import KINDS
from engine.project import fault_of_stem
from engine.wording import choices_text, literals, nearest

_WIDTH = 110
_VALUE_WIDTH = 36
_TITLES = {
    "alignment": "Align the particles to the template and average them",
    "average": "Average of a table's particles",
    "collection": "Averages as particles, to be aligned to each other",
    "catalogue": "The tomograms of the campaign",
    "comparison": "How far from the truth are the poses",
    "extraction": "Particles cut from tomograms",
    "mask": "A membrane and what stands on it",
    "phantom": "Particles of a known object",
    "picking": "Crop points on the vesicles of a tomogram",
    "postprocess": "Resolution and sharpened map of two halves",
    "selection": "Particles without duplicates and without bad ones",
    "specimen": "Tomograms of virus-like particles, and the truth of them",
    "registration": "An average laid onto a membrane",
    "transform": "Particles recentred on a marked point",
}
_WORKSHOP = {
    "alignment": "pr_0 and pr_1 on one tomogram's crop points, pr_2 on the unit cells, pr_EO of the half-sets",
    "average": "the template of a first alignment, and the final map of all particles",
    "catalogue": "the catalogue of tomograms, and its binned versions",
    "collection": "the averages of all tomograms as the particles of pr_a",
    "comparison": "none of the workshop's: it needs the truth, as a phantom has it",
    "extraction": "crop 1 around the crop points, crop 2 and crop 3 around the unit cells",
    "mask": "a membrane and a cylinder for the refined half-sets, a cylinder for the FSC",
    "phantom": "none of the workshop's: data with a known answer, to try a project on",
    "picking": "dipole sets on the vesicles, and crop points on their surface",
    "postprocess": "resolution and sharpening of the two half-maps",
    "registration": "each tomogram's average laid onto a membrane by a shift along z",
    "selection": "clean 1 by a mixture of two Gaussians, clean 2 by the mean less one deviation, duplicates",
    "specimen": "none of the workshop's: whole tomograms with a known answer",
    "transform": "recentring on a marked unit cell, and subboxing of all unit cells",
}
"""The step of the workshop that a project of the kind stands for."""
_SHOWN = {"points", "average", "object", "box_px", "tomogram"}
"""Optional keys that a first project of their kind needs after all."""

_ROUNDS: tuple[dict[str, Any], ...] = (
    {
        "iterations": 3,
        "cone": {"range_deg": 20, "step_deg": 5},
        "azimuth": {"range_deg": 30, "step_deg": 5},
        "refine": {"levels": 4, "factor": 2},
        "shifts": {"limits_xyz_px": [10, 10, 20], "origin": "box-centre", "frame": "particle"},
        "bandpass": {"highpass_fpx": 2, "lowpass_A": 20},
    },
    {
        "iterations": 2,
        "cone": {"range_deg": 8, "step_deg": 2},
        "azimuth": {"range_deg": 12, "step_deg": 3},
        "shifts": {"limits_xyz_px": [4, 4, 4], "origin": "last-iteration"},
        "bandpass": {"highpass_fpx": 2, "lowpass_A": 12},
    },
)
"""A coarse round in the workshop's numbers, spelled out in full, and a fine one, short."""


def new(kind: str, path: str | Path) -> Path:
    """The path of the file that was written. What exists is never overwritten: EngineError.

    So is a name that could not stand in an address.
    """
    path = Path(path)
    name = path.name.removesuffix(".toml")
    if fault := fault_of_stem(name):
        raise EngineError(f"{path}: {fault}")
    path = path.with_name(f"{name}.toml")
    write_new(path, template(kind, folders_up(path)))
    return path


def write_new(path: Path, text: str) -> None:
    """Writes a file, and the folders above it; one that is there already is an EngineError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise EngineError(f"{path}: is there already (choose another name, or remove it first)") from None
    except OSError as error:
        raise EngineError(f"{path}: cannot be written: {error.strerror}") from None


def template(kind: str, depth: int = 2) -> str:
    """A commented, valid project file; depth counts the folders between it and the folder that holds `schemas`."""
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        advice = f" ({near})" if near else ""
        raise EngineError(f'there is no kind "{kind}"; the kinds are {choices_text(KINDS)}{advice}')
    lines = [
        f"#:schema {'../' * depth}schemas/{kind}.schema.json",
        f"# In the workshop: {_WORKSHOP[kind]}",
        f'kind = "{kind}"',
    ]
    form, examples = KINDS[kind].Project, EXAMPLES[kind]
    for key, field in _plain_first(form, examples):
        if key == "title":
            lines.append(_line("title", _TITLES[kind], field))
        elif key == "each":
            lines += _key_lines(key, field, "tomogram")
        elif isinstance(examples.get((key,)), list):
            lines += _tables(key, field, examples[(key,)])
        elif _takes_forms(field) and (key,) not in examples:
            lines += _section(key, field, examples)
        else:
            lines += _key_lines(key, field, examples.get((key,)))
    return "\n".join(lines) + "\n"


def folders_up(path: Path) -> int:
    """How many folders up the nearest folder `schemas` lies; 0 when there is none yet."""
    for depth, folder in enumerate(path.resolve().parents):
        if any((folder / "schemas").glob("*.schema.json")):
            return depth
    return 0


def _plain_first(form: type[BaseModel], examples: Mapping[tuple[str, ...], Any]) -> Iterator[tuple[str, FieldInfo]]:
    """Keys before tables, as TOML asks; [compute] last."""

    def place(item: tuple[str, FieldInfo]) -> tuple[bool, bool]:
        key, field = item
        return _takes_forms(field) or isinstance(examples.get((key,)), list), key == "compute"

    return iter(sorted(form.model_fields.items(), key=place))


def _tables(name: str, field: FieldInfo, tables: list[dict[str, Any]]) -> Iterator[str]:
    """An example of [[tables]], what they are above the first."""
    yield ""
    yield from comment(_words(field))
    for number, values in enumerate(tables):
        if number:
            yield ""
        yield f"[[{name}]]"
        yield from (f"{key} = {in_toml(value)}" for key, value in values.items())


def _section(name: str, field: FieldInfo, examples: Mapping[tuple[str, ...], Any]) -> Iterator[str]:
    """A [table] with its keys, or the example [[rounds]]."""
    (form,) = _forms(field.annotation)
    yield ""
    if get_origin(field.annotation) is tuple:
        yield f"# {field.description}"
        yield from _full_round(form, _ROUNDS[0], {key[1]: value for key, value in examples.items() if key[0] == name})
        yield ""
        yield "[[rounds]]"
        yield from (f"{key} = {in_toml(value)}" for key, value in _ROUNDS[1].items())
        return
    yield f"[{name}]{' ' * max(1, _VALUE_WIDTH - len(name) - 2)}# {field.description}"
    for key, inner in form.model_fields.items():
        yield from _key_lines(key, inner, examples.get((name, key)))


def _full_round(form: type[BaseModel], values: Mapping[str, Any], examples: Mapping[str, Any]) -> Iterator[str]:
    """One [[rounds]] with every key, what each means, and the choices; examples of what is left out stand behind a #."""
    yield "[[rounds]]"
    for key, field in form.model_fields.items():
        yield from _described(key, field)
        value = values.get(key, _default(field))
        yield f"# {key} = {in_toml(examples[key])}" if value is None else f"{key} = {in_toml(value)}"


def _described(key: str, field: FieldInfo, depth: int = 0) -> Iterator[str]:
    """Comment lines: what the key is, and for an inline table what its keys are, and theirs."""
    yield from comment(f"{'  ' * depth}{key}: {_words(field)}" if depth else _words(field))
    for form in _forms(field.annotation):
        for name, inner in form.model_fields.items():
            yield from _described(name, inner, depth + 1)


def _words(field: FieldInfo) -> str:
    """The description, and the choices that it does not name itself."""
    described, choices = field.description or "", literals(field)
    if _forms(field.annotation) or all(f'"{choice}"' in described for choice in choices):
        return described
    return f"{described.rstrip('.')}. Choices: {choices_text(choices)}"


def _key_lines(key: str, field: FieldInfo, example: Any) -> Iterator[str]:
    """A key with its value; behind a # when leaving it out means something of its own."""
    value = example if example is not None else _default(field)
    if value is None:
        return
    is_optional = not field.is_required() and field.default is None and key not in _SHOWN
    yield _line(f"# {key}" if is_optional else key, value, field)


def _line(key: str, value: Any, field: FieldInfo) -> str:
    """`key = value   # description`, the description above when it would not fit."""
    text = f"{key} = {in_toml(value)}"
    described = _words(field)
    if max(len(text), _VALUE_WIDTH) + len(described) + 3 > _WIDTH:
        return "\n".join([*comment(described), text])
    return f"{text:<{_VALUE_WIDTH}} # {described}"


def comment(text: str) -> Iterator[str]:
    """The text as lines of a comment, indented as it is."""
    indent = " " * (len(text) - len(text.lstrip()))
    lines = textwrap.wrap(text.strip(), _WIDTH - 2 - len(indent))
    return (f"# {indent}{line}" for line in lines)


def _default(field: FieldInfo) -> Any:
    value = field.default
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _takes_forms(field: FieldInfo) -> bool:
    """True for a [table] of its own or an array of them, not for what may also be a file."""
    annotation = field.annotation
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _forms(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [form for part in get_args(annotation) for form in _forms(part)]


def in_toml(value: Any) -> str:
    """The value as TOML writes it, in one line."""
    match value:
        case dict():
            pairs = (f"{key} = {in_toml(part)}" for key, part in value.items() if part is not None)
            return f"{{ {', '.join(pairs)} }}"
        case list() | tuple():
            return f"[{', '.join(map(in_toml, value))}]"
        case float() if value.is_integer() and abs(value) < 1e9:
            return f"{value:.0f}"
        case _:
            return tomlkit.item(value).as_string()

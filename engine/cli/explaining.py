"""`engine explain`: a code of a fault, a project's values, or a word of Dynamo's or of a project file."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import show
from engine.cli.options import Json

CODE = re.compile(r"[Ee]\d{3}")


def explain(
    word: Annotated[
        str,
        typer.Argument(
            metavar="WORD",
            help="A project's file; the code of a fault (E116); a key; or a word of Dynamo's (cr, limm).",
        ),
    ],
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="Of a project's file only these: rounds.2.cone, data.")
    ] = None,
    json: Json = False,
) -> None:
    """What a fault's code, a key, or a parameter of Dynamo's means; or the values of a project, and where each is from."""
    if CODE.fullmatch(word):
        _code(word.upper(), json)
    elif key is not None or word.endswith(".toml") or Path(f"{word}.toml").is_file():
        _project(Path(word), key or "", json)
    else:
        _word(word, json)


def _code(code: str, json: bool) -> None:
    from engine.codes import CODES
    from engine.faults import EngineError

    if code not in CODES:
        raise EngineError(f"{code}: there is no such code (engine check tells the code of each fault)")
    told = CODES[code]
    if json:
        show.json_text({"code": code, **told._asdict()})
        return
    show.say(f" {told.what}", bold=code)
    show.say(f"  {told.mend}")
    for label, example in (("wrong", told.wrong), ("right", told.right)):
        show.say(f"  {label}:")
        for line in example.split("\n"):
            show.say(f"    {line}")


def _word(word: str, json: bool) -> None:
    from engine.dynamo.explain import explain

    found = explain(word)
    if json:
        show.json_text(found)
        return
    for one in found:
        show.say(f" ({', '.join(one.kinds)})" if one.key else "", bold=one.key or one.dynamo)
        show.say(f"  {one.meaning}")
        labels = ("unit", "default", "allowed", "dynamo", "differs") if one.key else ()
        rows = [
            (f"  {label.replace('dynamo', 'Dynamo')}", getattr(one, label)) for label in labels if getattr(one, label)
        ]
        if rows:
            show.rows(rows)


def _project(path: Path, key: str, json: bool) -> None:
    from engine.explain import in_words, resolved

    found = resolved(path if path.suffix == ".toml" else path.with_name(f"{path.name}.toml"), key)
    if json:
        show.json_text(found)
        return
    box = f"box of {found.box_px} px" if found.box_px else ""
    pixel = f"{found.pixel_size_A:.4g} A a px" if found.pixel_size_A else ""
    scale = ", ".join(filter(None, (found.kind, box, pixel)))
    show.say(f" ({scale})", bold=found.project)
    show.rows([(f"  {name}", value, source) for name, value, source in map(in_words, found.values)])
    for number, count in found.orientations.items():
        show.say(f"  round {number}: at most {count:,} orientations of a particle in an iteration")
    if found.faults:
        show.say(f"  {show.counted(len(found.faults), 'fault')}: engine check {shlex.quote(show.short(path))}")

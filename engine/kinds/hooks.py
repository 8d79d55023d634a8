"""Hooks: a Python function of the campaign's own that a project calls. It is named in the TOML, hashed, and never guessed."""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

from pydantic import Field, field_validator

from engine.data import Source
from engine.faults import EngineError, Fault
from engine.kinds.form import Form, Look, ProjectForm
from engine.step import Input

ARGUMENTS = 3
_NAME = re.compile(r"[A-Za-z_]\w*:[A-Za-z_]\w*")


class Hooks(Form):
    """Functions of your own, each "module:function": the module is a .py file beside the TOML, one file and no package."""

    after_iteration: str | None = Field(
        default=None,
        description="Function (average, table, at) that is called after each iteration, in each half-set, and returns the "
        "average and the table that the next one reads, None for what it leaves alone. Dynamo: plugin_post",
    )

    @field_validator("after_iteration")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not _NAME.fullmatch(value):
            raise ValueError('write "module:function", for module.py in the folder of this file')
        return value


def hooks_of(form: ProjectForm) -> tuple[str, ...]:
    """The hooks that a project names, of any kind."""
    hooks = getattr(form, "hooks", None)
    return tuple(value for _, value in hooks if value) if isinstance(hooks, Hooks) else ()


def file_of(hook: str) -> str:
    """The file in the campaign folder that holds a hook."""
    return f"{hook.partition(':')[0]}.py"


def source_of(hook: str) -> Input:
    """The step's input that a hook is: its bytes are part of the key."""
    return Input("source", PurePosixPath(file_of(hook)))


def faults(hooks: Hooks, look: Look) -> Iterator[Fault]:
    """What can be seen to be wrong with the hooks without running them."""
    for name, hook in hooks:
        if hook is None:
            continue
        key = ("hooks", name)
        try:
            source = look.source(file_of(hook))
            tree = ast.parse(source.code, str(source.path))
        except EngineError as error:
            yield Fault(key, str(error), code="E210")
            continue
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            yield Fault(
                key, f"{file_of(hook)}: line {getattr(error, 'lineno', None) or 1}: {_words(error)}", code="E210"
            )
            continue
        wanted = hook.partition(":")[2]
        functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
        if wanted not in functions:
            have = f"it has {', '.join(functions)}" if functions else f"write def {wanted}(average, table, at)"
            yield Fault(key, f"{file_of(hook)} has no function {wanted}", have, code="E210")
        elif not _takes(functions[wanted].args, ARGUMENTS):
            line = functions[wanted].lineno
            yield Fault(key, f"{file_of(hook)}: line {line}: {wanted} does not take (average, table, at)", code="E210")


def _takes(arguments: ast.arguments, n: int) -> bool:
    places = [*arguments.posonlyargs, *arguments.args]
    needed = len(places) - len(arguments.defaults)
    named = sum(default is None for default in arguments.kw_defaults)
    return needed <= n and named == 0 and (len(places) >= n or arguments.vararg is not None)


def called(hook: str, source: Source, *arguments: Any) -> Any:
    """What the hook returns. Whatever it raises is one EngineError that names file, line and function."""
    wanted = hook.partition(":")[2]
    try:
        return _function(hook, source)(*arguments)
    except (Exception, SystemExit) as error:
        if isinstance(error, EngineError) and error.__traceback__ and not _line(error, source):
            raise
        line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else _line(error, source)
        place = f"{source.path}:{line}" if line else str(source.path)
        what = f"{type(error).__name__}: {_words(error)}".removesuffix(": ")
        raise EngineError(f"{place}: the hook {wanted} failed: {what} (mend it, and run again)") from error


def _function(hook: str, source: Source) -> Callable[..., Any]:
    """The function, from a module that is made of the source alone: no import path is touched, no file is written."""
    name = f"engine_hook_{source.digest}"
    module = ModuleType(name)
    module.__file__ = str(source.path)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        exec(compile(source.code, str(source.path), "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    wanted = hook.partition(":")[2]
    function = getattr(module, wanted, None)
    if not callable(function):
        raise EngineError(f"{source.path}: has no function {wanted} (write def {wanted}(average, table, at))")
    return function


def _line(error: BaseException, source: Source) -> int | None:
    """The last line of the source that the error came through."""
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(source.path)]
    return lines[-1] if lines else None


def _words(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(text.split())

"""An open, declarative engine for cryo-electron tomography and subtomogram averaging.

The Python door, light until it is used: engine.load, engine.check, engine.run, engine.query.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.check import check as check
    from engine.project import load as load
    from engine.query import query as query
    from engine.run import run as run

    __version__: str

_ROOMS = ("check", "query", "run")


class _Room(ModuleType):
    """A room that can be called by its own name: engine.run(…) is engine.run.run(…)."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **named)


class _Door(ModuleType):
    """This package. The import system sets every imported room as an attribute here, where a function of the same name
    would be expected; so those rooms are made callable as they arrive.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ROOMS and type(value) is ModuleType:
            value.__class__ = _Room
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"engine.{name}")
    if name == "load":
        return import_module("engine.project").load
    if name == "__version__":
        return import_module("engine.version").engine_version()
    raise AttributeError(f"module 'engine' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["__version__", "load", *_ROOMS]


sys.modules[__name__].__class__ = _Door

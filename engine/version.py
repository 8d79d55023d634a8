"""Versions of packages, as they were installed."""

from __future__ import annotations

ENGINE = "subtomo-engine"


def engine_version() -> str:
    return version_of(ENGINE)


def version_of(package: str) -> str:
    """The version of a package; "unknown" where it is not installed, as where the engine runs from its sources alone."""
    from importlib.metadata import PackageNotFoundError, version  # asked for rarely, and slow to import

    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"

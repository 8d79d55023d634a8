"""The version of the engine, as it was installed."""

from __future__ import annotations


def engine_version() -> str:
    """The version of the package; "unknown" where it runs without being installed. Asked for rarely, so imported late."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("subtomo-engine")
    except PackageNotFoundError:
        return "unknown"

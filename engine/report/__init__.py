"""Reports: a project, or a campaign of them, as one HTML file that needs nothing but a browser."""

from __future__ import annotations

from engine.report.writing import Written, report

__all__ = ["Written", "report"]

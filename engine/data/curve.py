"""Numbers against a common axis, such as an FSC curve: equally long columns with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine import html


@dataclass(frozen=True, eq=False)
class Curve:
    """columns: name to 1-D float64 array, all of one length; the first column is the axis. notes: facts about the whole."""

    columns: Mapping[str, np.ndarray]
    notes: Mapping[str, str | float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: np.shape(values) for name, values in self.columns.items()}
        if len(set(lengths.values())) > 1 or any(len(shape) != 1 for shape in lengths.values()):
            raise ValueError(f"the columns of a curve are 1-D and equally long, got {lengths}")

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def _repr_html_(self) -> str:
        drawn = html.curves(self.columns) if len(self) > 1 else html.columns(self.columns)
        return html.titled(f"Curve: {len(self)} rows", drawn, html.table(self.notes.items()) if self.notes else "")

"""The tomograms of a campaign: what is known of each, by its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from engine import html


@dataclass(frozen=True)
class TomogramFacts:
    """One tomogram. None: nobody has told.

    number is what the column `tomo` of tables holds; path is relative to the campaign's folder, where it is not absolute.
    """

    number: int
    path: str
    name: str = ""
    pixel_size_A: float | None = None
    shape_zyx: tuple[int, int, int] | None = None
    tilt_range_deg: tuple[float, float] | None = None
    tilt_axis_deg: float | None = None
    defocus_um: float | None = None
    dose_e_A2: float | None = None
    voltage_kV: float | None = None
    spherical_aberration_mm: float | None = None
    amplitude_contrast: float | None = None
    handedness: int | None = None


@dataclass(frozen=True)
class Catalogue:
    """Tomograms in the order of their numbers."""

    tomograms: tuple[TomogramFacts, ...]

    def __post_init__(self) -> None:
        numbers = [one.number for one in self.tomograms]
        if sorted(set(numbers)) != numbers:
            raise ValueError(f"tomograms are numbered upwards, each once, got {numbers}")

    def __len__(self) -> int:
        return len(self.tomograms)

    def __iter__(self) -> Iterator[TomogramFacts]:
        return iter(self.tomograms)

    def _repr_html_(self) -> str:
        rows = self.rows()
        told = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)] if rows else []
        named = html.table([[row[name] for name in told] for row in rows], told)
        return html.titled(f"Catalogue: {len(self)} tomograms", named)

    @property
    def numbers(self) -> list[int]:
        return [one.number for one in self.tomograms]

    def rows(self) -> list[dict[str, Any]]:
        """A mapping of plain values for each tomogram, with every name."""
        return [asdict(one) for one in self.tomograms]

    @classmethod
    def of_rows(cls, rows: list[Mapping[str, Any]]) -> Catalogue:
        """The catalogue of such mappings; names that it does not know are left out."""
        known = {field.name for field in fields(TomogramFacts)}

        def value(of: Any) -> Any:
            return tuple(of) if isinstance(of, list) else of

        return cls(
            tuple(TomogramFacts(**{name: value(of) for name, of in row.items() if name in known}) for row in rows)
        )

    @classmethod
    def joined(cls, parts: list[Catalogue]) -> Catalogue:
        """One catalogue of the tomograms of several."""
        return cls(tuple(sorted((one for part in parts for one in part), key=lambda one: one.number)))

"""Chimera and ChimeraX marker files (.cmm): points in Å, and the links between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from engine.faults import EngineError
from engine.files.limits import LARGEST_LIST_BYTES
from engine.files.numbers import finite, shortest, whole
from engine.files.raw import reading, text_of, write_text
from engine.steering import made_visible

YELLOW = {"r": 1.0, "g": 1.0, "b": 0.0}


@dataclass(frozen=True, eq=False)
class Markers:
    """points_xyz_A (n, 3) float64 and radii (n,) in Å; ids (n,) int64, each once; links (k, 2) are pairs of ids."""

    points_xyz_A: np.ndarray
    radii_A: np.ndarray
    ids: np.ndarray
    links: np.ndarray = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    name: str = "markers"


def read_markers(path: str | Path) -> Markers:
    """The one marker set of a .cmm file; colours are left out.

    Not XML, a file over 10 MB, entities, several sets, an id twice or a link to nowhere are EngineErrors.
    """
    path = Path(path)
    marker_set = _marker_set(path)
    markers = list(marker_set.iter("marker"))
    ids = [_whole(marker, "id", path) for marker in markers]
    links = [[_whole(link, end, path) for end in ("id1", "id2")] for link in marker_set.iter("link")]
    if len(set(ids)) < len(ids):
        raise EngineError(f"{path}: a marker id is there twice; number the markers anew")
    for lost in {end for link in links for end in link} - set(ids):
        raise EngineError(f"{path}: a link leads to marker {lost}, which is not there; remove the link")
    return Markers(
        points_xyz_A=np.array([[_value(m, axis, path) for axis in "xyz"] for m in markers]).reshape(-1, 3),
        radii_A=np.array([_value(marker, "radius", path) for marker in markers], dtype=np.float64),
        ids=np.array(ids, dtype=np.int64),
        links=np.array(links, dtype=np.int64).reshape(-1, 2),
        name=marker_set.get("name", ""),
    )


def write_markers(markers: Markers, path: str | Path) -> None:
    """Writes one marker set, yellow, with its links."""
    root = ElementTree.Element("marker_set", name=made_visible(markers.name))
    for marker, point, radius in zip(markers.ids, markers.points_xyz_A, markers.radii_A, strict=True):
        place = dict(zip("xyz", point.tolist(), strict=True))
        _add(root, "marker", {"id": marker, **place, **YELLOW, "radius": radius})
    for first, second in markers.links:
        _add(root, "link", {"id1": first, "id2": second, **YELLOW, "radius": 1})
    ElementTree.indent(root)
    write_text(ElementTree.tostring(root, encoding="unicode") + "\n", Path(path))


def _marker_set(path: Path) -> ElementTree.Element:
    with reading(path, "a marker file"):
        text = text_of(path, "a marker file", LARGEST_LIST_BYTES)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise EngineError(f"{path}: declares XML entities, which marker files do not need; remove the declaration")
        sets = list(ElementTree.fromstring(text).iter("marker_set"))
    if len(sets) != 1:
        raise EngineError(f"{path}: holds {len(sets)} marker sets; save one set per file")
    return sets[0]


def _add(root: ElementTree.Element, tag: str, attributes: Mapping[str, float]) -> None:
    ElementTree.SubElement(root, tag, {name: shortest(float(value)) for name, value in attributes.items()})


def _value(element: ElementTree.Element, name: str, path: Path) -> float:
    return finite(*_word(element, name, path))


def _whole(element: ElementTree.Element, name: str, path: Path) -> int:
    return whole(*_word(element, name, path))


def _word(element: ElementTree.Element, name: str, path: Path) -> tuple[str, str]:
    """The attribute's text, and where it stands."""
    text = element.get(name)
    if text is None:
        raise EngineError(f"{path}: a {element.tag} has no {name!r}; save the markers again")
    return text.strip(), f"{path}: {name} of {element.tag} {element.get('id', '')[:40]}".rstrip()

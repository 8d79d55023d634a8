"""Result files from a stranger, sealed and all: what the layout does not declare is refused, and no other file is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import toy
from faults.sealing import changed, resealed, resealed_as

from engine.data import Table, Volume
from engine.faults import EngineError
from engine.step import Step
from engine.store import Store

SECRET = b"12345678" * 8


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A step `ite_0001` with a table, a map and an array; beside it, files that are nobody's business."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"] = np.arange(8.0)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    store = Store(tmp_path / "pr_1")
    outputs = {
        "table": Table.blank(4),
        "average": Volume(np.ones((4, 4, 4), dtype=np.float32), 1.35),
        "counts": np.arange(8.0),
    }
    step = Step("ite_0001", toy.iterate, 1, toy.Settings(), tuple(outputs))
    store.write(step, "alignment", "k" * 32, {}, outputs, "2026-11-22T10:00:00+00:00", 1.0, "CPU")
    return store


def external_link(file: h5py.File, folder: Path) -> None:
    file["stolen"] = h5py.ExternalLink(str(folder / "secret.h5"), "/data")


def soft_link(file: h5py.File, folder: Path) -> None:
    file["stolen"] = h5py.SoftLink("/table")


def link_that_leads_nowhere(file: h5py.File, folder: Path) -> None:
    file["stolen"] = h5py.SoftLink("/not/there")


def external_storage(file: h5py.File, folder: Path) -> None:
    taken = file.create_dataset("stolen", (8,), "f8", external=[(str(folder / "secret.txt"), 0, 64)])
    taken.attrs["what"] = "array"


def external_storage_by_a_way_up(file: h5py.File, folder: Path) -> None:
    taken = file.create_dataset("stolen", (8,), "f8", external=[("../secret.txt", 0, 64)])
    taken.attrs["what"] = "array"


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "data", (8,))
    file.create_virtual_dataset("stolen", layout).attrs["what"] = "array"


def virtual_of_itself(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource(".", "counts", (8,))
    file.create_virtual_dataset("stolen", layout).attrs["what"] = "array"


def hidden_beside_an_item(file: h5py.File, folder: Path) -> None:
    """`tags` stand beside particles and have no `what`."""
    file.create_dataset("stolen", (8,), "f8", external=[(str(folder / "secret.txt"), 0, 64)])


def size_bomb(file: h5py.File, folder: Path) -> None:
    file.create_dataset("stolen", (10**12,), "f4", chunks=(1024,)).attrs["what"] = "array"


def compressed_bomb(file: h5py.File, folder: Path) -> None:
    made = file.create_dataset("stolen", data=np.zeros(10**7), chunks=(10**6,), compression="gzip")
    made.attrs["what"] = "array"


def shuffled(file: h5py.File, folder: Path) -> None:
    file.create_dataset("stolen", data=np.zeros(99), chunks=(9,), shuffle=True).attrs["what"] = "array"


def foreign_filter(file: h5py.File, folder: Path) -> None:
    """A number that libhdf5 would look for among the plugins."""
    space, plist = h5py.h5s.create_simple((8,)), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((8,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    made = h5py.Dataset(h5py.h5d.create(file.id, b"stolen", h5py.h5t.IEEE_F64LE, space, plist))
    made.attrs["what"] = "array"


def references(file: h5py.File, folder: Path) -> None:
    made = file.create_dataset("stolen", (1,), dtype=h5py.ref_dtype)
    made[0] = file["table"].ref
    made.attrs["what"] = "array"


def text_of_any_length(file: h5py.File, folder: Path) -> None:
    file.create_dataset("stolen", data=["a" * 99], dtype=h5py.string_dtype()).attrs["what"] = "summary"


def compound(file: h5py.File, folder: Path) -> None:
    file.create_dataset("stolen", data=np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])).attrs["what"] = "table"


def opaque(file: h5py.File, folder: Path) -> None:
    file.create_dataset("stolen", data=np.zeros(3, dtype="V8")).attrs["what"] = "array"


def named_type(file: h5py.File, folder: Path) -> None:
    file["stolen"] = np.dtype("f8")


def unknown_what(file: h5py.File, folder: Path) -> None:
    file.create_dataset("stolen", data=np.arange(3.0)).attrs["what"] = "program"


def what_is_a_number(file: h5py.File, folder: Path) -> None:
    file.create_dataset("stolen", data=np.arange(3.0)).attrs["what"] = 7


def circle_of_groups(file: h5py.File, folder: Path) -> None:
    file.create_group("stolen")["again"] = file["/"]


def deep_groups(file: h5py.File, folder: Path) -> None:
    file.create_dataset("/".join(["stolen"] * 40), data=np.arange(3.0)).attrs["what"] = "array"


def a_name_that_leads_out(file: h5py.File, folder: Path) -> None:
    low = h5py.h5d.create(file.id, b"..", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((3,)))
    h5py.Dataset(low).attrs["what"] = "array"


def too_many_objects(file: h5py.File, folder: Path) -> None:
    for number in range(3_001):
        file.create_group(f"stolen_{number}")


KINDS: list[Callable[[h5py.File, Path], None]] = [
    external_link,
    soft_link,
    link_that_leads_nowhere,
    external_storage,
    external_storage_by_a_way_up,
    virtual,
    virtual_of_itself,
    hidden_beside_an_item,
    size_bomb,
    compressed_bomb,
    shuffled,
    foreign_filter,
    references,
    text_of_any_length,
    compound,
    opaque,
    named_type,
    unknown_what,
    what_is_a_number,
    circle_of_groups,
    deep_groups,
    a_name_that_leads_out,
    too_many_objects,
]


@pytest.mark.parametrize("spoil", KINDS, ids=lambda spoil: spoil.__name__)
def test_what_the_layout_does_not_declare_is_refused(store: Store, tmp_path: Path, spoil: Callable) -> None:
    path = store.path("ite_0001")
    with changed(path) as file:
        spoil(file, tmp_path)
    looks = [
        lambda: store.items("ite_0001"),
        lambda: store.read("ite_0001", "table"),
        lambda: store.read("ite_0001", "stolen"),
        lambda: store.volume_facts("ite_0001", "average"),
    ]
    for look in looks:
        with pytest.raises(EngineError, match=re.escape(str(path))) as refused:
            look()
        assert "\n" not in str(refused.value)
        assert SECRET.decode() not in str(refused.value)


def attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        del file.attrs[name]
        file.attrs[name] = value

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        attribute("settings", np.bytes_(b"[" * 100_000)),
        attribute("settings", np.bytes_(b"{")),
        attribute("settings", np.bytes_(b"[1]")),
        attribute("inputs", np.bytes_(b'{"a": 1}')),
        attribute("labels", np.bytes_(b'"ite"')),
        attribute("layout", 99),
        attribute("layout", "two"),
        attribute("version", 1.5),
        attribute("seconds", float("nan")),
        attribute("step", np.bytes_(b"../../ite_0001")),
        attribute("key", np.arange(10.0)),
        attribute("kind", b"\xff\xfe"),
        lambda file: file.attrs.__delitem__("function"),
    ],
)
def test_facts_that_are_none_are_refused(store: Store, spoil: Callable) -> None:
    path = store.path("ite_0001")
    with changed(path) as file:
        spoil(file)
    with pytest.raises(EngineError, match=re.escape(str(path))) as refused:
        store.facts("ite_0001")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("item", "name", "value"),
    [
        ("table", "columns", json.dumps(["tag"])),
        ("table", "columns", json.dumps({"tag": 1})),
        ("table", "columns", json.dumps([["tag"]] * 38)),
        ("table", "columns", "[" * 50_000),
        ("average", "origin_xyz_A", [1.0]),
        ("average", "pixel_size_A", "much"),
        ("counts", "truth", "perhaps"),
    ],
)
def test_items_that_do_not_hold_together_are_refused(store: Store, item: str, name: str, value: object) -> None:
    path = store.path("ite_0001")
    with changed(path) as file:
        file[item].attrs[name] = value
    with pytest.raises(EngineError, match=re.escape(str(path))):
        store.read("ite_0001", item)


def test_a_seal_that_claims_metadata_for_values_still_lets_nothing_through(store: Store) -> None:
    """The whole file said to be values: nothing is hashed, and HDF5's own checksums and our rules remain."""
    path = store.path("ite_0001")
    content = path.read_bytes()
    length = int.from_bytes(content[-16:-8], "little")
    path.write_bytes(content[: -16 - length])
    resealed(path, [(0, path.stat().st_size)])
    assert len(store.read("ite_0001", "table")) == 4
    with changed(path) as file:
        external_link(file, path.parent.parent)
    with pytest.raises(EngineError, match="stolen"):
        store.items("ite_0001")


def item(**changes: object) -> Callable[[Any], object]:
    return lambda plain: plain["items"]["average"].update(changes)


def fact(**changes: object) -> Callable[[Any], object]:
    return lambda plain: plain["step"].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: plain.clear(),
        lambda plain: plain.update(items=[]),
        lambda plain: plain.update(step=[]),
        lambda plain: plain["step"].pop("key"),
        lambda plain: plain["items"].update({"../stolen": plain["items"]["average"]}),
        lambda plain: plain["items"]["average"].pop("shape"),
        fact(layout=99),
        fact(layout="two"),
        fact(version=1.5),
        fact(seconds="long"),
        fact(seconds=float("nan")),
        fact(settings=[]),
        fact(inputs={"a": 1}),
        fact(labels={"ite": []}),
        fact(step="../../ite_0001"),
        fact(key=7),
        item(what="stolen"),
        item(what=["volume"]),
        item(shape=[4, 4]),
        item(shape=[4, -4, 4]),
        item(shape=["4", 4, 4]),
        item(shape=None),
        item(shape=[10**9, 10**9, 10**9]),
        fact(seconds=10**400),
        fact(layout=float("inf")),
        item(notes=[]),
        item(pixel_size_A="much"),
    ],
)
def test_a_seal_that_tells_what_no_file_can_be_is_refused(store: Store, change: Callable[[Any], object]) -> None:
    path = store.path("ite_0001")
    resealed_as(path, change)
    with pytest.raises(EngineError, match=re.escape(str(path))) as refused:
        store.facts("ite_0001")
    assert "\n" not in str(refused.value)


def test_a_seal_may_tell_more_than_this_engine_knows(store: Store) -> None:
    before = store.facts("ite_0001")
    resealed_as(
        store.path("ite_0001"), lambda plain: plain.update(more=1) or fact(more=1)(plain) or item(more=1)(plain)
    )
    assert store.facts("ite_0001") == before
    assert store.what("ite_0001", "average") == "volume"
    assert "seal" not in store.damage("ite_0001")


def test_a_seal_that_tells_something_else_than_the_file_is_damage(store: Store) -> None:
    path = store.path("ite_0001")
    assert store.damage("ite_0001") != "its seal tells something else than what stands in it"
    resealed_as(path, item(shape=[9, 9, 9]))
    assert store.volume_facts("ite_0001", "average").shape_zyx == (9, 9, 9)
    assert store.damage("ite_0001") == "its seal tells something else than what stands in it"

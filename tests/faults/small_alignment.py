"""An alignment of a few noisy particles on disk, with a phantom run before it: for tests that break it off."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from faults.results import stored

from engine.events import Event
from engine.run import run
from engine.store import Store

N = 20

PHANTOM = f"""kind = "phantom"
object = {{ blobs = 40, radius_px = 8 }}
boxes = {{ count = {N}, box_px = 28, snr = 0.3, shift_px = 2 }}
start = {{ angle_error_deg = 10, shift_error_px = 2, template_lowpass_fpx = 5 }}
"""

ROUND = """[[rounds]]
iterations = {iterations}
search = "{search}"
cone = {{ range_deg = 24, step_deg = {step_deg} }}
azimuth = {{ range_deg = 24, step_deg = {step_deg} }}
refine = {{ levels = 2 }}
shifts = {{ limits_xyz_px = [4, 4, 4] }}
bandpass = {{ lowpass_fpx = 8 }}
{more}
"""


def alignment(
    iterations: int = 1, search: str = "grid", step_deg: float = 12, more: str = "", data: str = "", chunk: int = 3
) -> str:
    """The text of the project."""
    data = data or 'table = "phantom:table"\ntemplate = "phantom:template"'
    rounds = ROUND.format(iterations=iterations, search=search, step_deg=step_deg, more=more)
    return f'kind = "alignment"\n[data]\nparticles = "phantom:particles"\n{data}\n{rounds}[compute]\nchunk = {chunk}\n'


def phantom(folder: Path) -> Path:
    """A campaign folder with the phantom, run."""
    folder.mkdir(parents=True)
    (folder / "phantom.toml").write_text(PHANTOM)
    run([folder / "phantom.toml"])
    return folder


def beside(phantom: Path, folder: Path, text: str) -> Path:
    """A project of that text in a folder of its own, with the phantom."""
    shutil.copytree(phantom, folder)
    path = folder / "pr_1.toml"
    path.write_text(text)
    return path


def undisturbed(phantom: Path, folder: Path, text: str) -> Store:
    """The results of the project when nothing happens."""
    path = beside(phantom, folder, text)
    run([path])
    return Store(path.with_suffix(""))


def journals(store: Store) -> list[Path]:
    return sorted(store.folder.rglob(".*.chunks"))


def assert_same(store: Store, calm: Store) -> None:
    """All that is stored is the same, bit for bit."""
    found, expected = stored(store.folder), stored(calm.folder)
    assert found.keys() == expected.keys()
    assert not [name for name, value in expected.items() if found[name] != value]


def stopping_at(event_type: type[Event], done: int) -> Callable[[Event], None]:
    """A listener that ends the run when so much is done: nothing is tidied up, as little as a kill would."""

    def listen(event: Event) -> None:
        if isinstance(event, event_type) and event.done >= done:
            raise KeyboardInterrupt

    return listen

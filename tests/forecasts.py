"""What forecasts told against what runs then took, over projects of different size: time by the clock, memory, disk.

    python -m tests.forecasts          all of them, some five minutes on two cores; nothing else should run
    python -m tests.forecasts a e      some

Memory is the most that all processes of a run held at one moment: what is each one's own, and once what they map of files.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TIME, MEMORY = 0.25, 0.20
LOOK_S = 0.1


class Round(NamedTuple):
    iterations: int
    range_deg: float
    step_deg: float
    lowpass_fpx: int
    shift_px: int
    search: str = "fast"

    def text(self) -> str:
        searched = f"{{ range_deg = {self.range_deg}, step_deg = {self.step_deg} }}"
        angles = "" if self.search == "global" else f"cone = {searched}\nazimuth = {searched}\n"
        limits = f"[{self.shift_px}, {self.shift_px}, {self.shift_px}]"
        return (
            f'[[rounds]]\niterations = {self.iterations}\nsearch = "{self.search}"\n{angles}'
            f'shifts = {{ limits_xyz_px = {limits}, origin = "box-centre" }}\n'
            f"bandpass = {{ lowpass_fpx = {self.lowpass_fpx} }}\n"
        )


class Case(NamedTuple):
    particles: int
    box_px: int
    workers: int
    rounds: tuple[Round, ...]


CASES = {
    "a": Case(60, 44, 2, (Round(2, 40, 8, 12, 4),)),
    "b": Case(200, 32, 2, (Round(3, 60, 10, 10, 4),)),
    "c": Case(40, 64, 2, (Round(1, 360, 20, 12, 4), Round(1, 30, 6, 20, 4))),
    "d": Case(100, 64, 1, (Round(2, 20, 5, 24, 4),)),
    "e": Case(24, 96, 2, (Round(2, 30, 6, 24, 6),)),
    "f": Case(16, 128, 2, (Round(1, 30, 6, 32, 6),)),
    "g": Case(500, 32, 2, (Round(2, 40, 8, 12, 4),)),
    "h": Case(300, 48, 1, (Round(2, 30, 10, 16, 4),)),
    "i": Case(30, 64, 2, (Round(2, 30, 10, 20, 4, "grid"),)),
    "j": Case(120, 56, 2, (Round(1, 0, 0, 10, 4, "global"), Round(2, 20, 5, 20, 4))),
    "k": Case(1000, 40, 2, (Round(2, 20, 5, 14, 3),)),
    "l": Case(12, 192, 2, (Round(1, 20, 5, 32, 6),)),
}


def write(case: Case, folder: Path) -> None:
    """A phantom and its alignment."""
    phantom = (ROOT / "projects" / "quickstart" / "phantom.toml").read_text("utf-8")
    for key, value in {"count": case.particles, "box_px": case.box_px, "radius_px": case.box_px // 4 - 2}.items():
        phantom = re.sub(rf"^{key}( *)= *\d+", rf"{key}\1= {value}", phantom, flags=re.MULTILINE)
    (folder / "phantom.toml").write_text(phantom, "utf-8")
    data = "".join(f'{name} = "phantom:{name}"\n' for name in ("particles", "table", "template"))
    rounds = "".join(one.text() for one in case.rounds)
    text = f'kind = "alignment"\n[data]\n{data}[compute]\nworkers = {case.workers}\n{rounds}'
    (folder / "pr_1.toml").write_text(text, "utf-8")


def engine(*words: object) -> list[str]:
    return [sys.executable, "-m", "engine", *map(str, words)]


def told(path: Path) -> dict[str, Any]:
    checked = subprocess.run(engine("check", path, "--json"), capture_output=True, text=True, check=True, cwd=ROOT)
    return next(one["forecast"] for one in json.loads(checked.stdout) if Path(one["path"]).name == path.name)


def taken(path: Path) -> tuple[float, int, int]:
    """Seconds by the clock, bytes of memory at most, bytes of results."""
    start, most = time.monotonic(), 0
    with subprocess.Popen(engine("run", path), stdout=subprocess.DEVNULL, cwd=ROOT) as process:
        while process.poll() is None:
            most = max(most, held_bytes(process.pid))
            time.sleep(LOOK_S)
    assert process.returncode == 0, f"{path} failed"
    seconds = time.monotonic() - start
    return seconds, most, sum(file.stat().st_size for file in path.with_suffix("").rglob("*.h5"))


def held_bytes(pid: int) -> int:
    """What a process and all below it hold in memory."""
    own = of_files = 0
    for one in family(pid):
        with suppress(OSError, KeyError):
            facts = dict(re.findall(r"^(\w+):\s+(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text(), re.MULTILINE))
            own += int(facts["Pss_Anon"]) << 10
            of_files = max(of_files, int(facts["Rss"]) - int(facts["Anonymous"]) << 10)
    return own + of_files


def family(pid: int) -> list[int]:
    found = [pid]
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += family(int(child))
    return found


def main(names: list[str]) -> None:
    n_runs = n_time = n_memory = 0
    print("     project    told s  took s  ratio  told MB  held MB  ratio  disk")
    for name in names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            write(CASES[name], Path(folder))
            for project in ("phantom", "pr_1"):
                path = Path(folder) / f"{project}.toml"
                cost = told(path)
                seconds, held, disk = taken(path)
                of_time, of_memory = cost["seconds"] / seconds, cost["memory_bytes"] / held
                n_runs += 1
                n_time += abs(of_time - 1) <= TIME
                n_memory += abs(of_memory - 1) <= MEMORY
                print(
                    f"{name:4} {project:10} {cost['seconds']:6.1f}  {seconds:6.1f}  {of_time:5.2f}  "
                    f"{cost['memory_bytes'] / 1e6:7.0f}  {held / 1e6:7.0f}  {of_memory:5.2f}  {cost['disk_bytes'] / disk:4.2f}",
                    flush=True,
                )
    print(f"of {n_runs} runs {n_time} within {TIME:.0%} of the time, {n_memory} within {MEMORY:.0%} of the memory")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Spoilt inputs of every format: none ends in a traceback or a crash, none takes more than 2 s or 1 GB.

    python -m tests.faults.fuzz --count 100000              the long campaign, over all formats
    python -m tests.faults.fuzz --count 5000 --format star  one format
    python -m tests.faults.fuzz --replay star 4711          one input again, with what comes of it

An input is known by its format and number: the number seeds everything that is random in it. Inputs at fault are written, as
they are and as small as they can be made, to the folder given by --found (default: fuzz-found among the temporary files).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

if __name__ == "__main__":  # started from the root of the repository, as pytest is
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import guarded, mutate, seeds
from faults.guarded import Outcome
from faults.targets import TARGETS, Target, campaign

SHARES = {"toml": 4, "star": 2, "address": 2, "expression": 2, "results": 2, "mrc": 2, "tbl": 2, "em": 2, "cmm": 2}
"""How much more often than others a format comes in a campaign over all of them."""

_SHRINKING_S = 10.0


__all__ = ["Bench", "Target", "bench", "outcome_of", "outcomes", "outcomes_of", "parted", "real_data", "run", "shrunk"]


@dataclass(frozen=True)
class Bench:
    """A scratch folder with all that the targets need, and the seeds."""

    folder: Path
    made: dict[str, list[bytes]]
    real: dict[str, list[bytes]] = field(default_factory=dict)

    def case(self, name: str, number: int) -> bytes:
        return mutate.case(name, number, self.made[name], self.real.get(name, ()))

    def attempt(self, name: str, content: bytes) -> None:
        path = self.folder / TARGETS[name].name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        TARGETS[name].read(path)


@contextmanager
def bench(data: Path | None = None) -> Iterator[Bench]:
    """data: the folder of real inputs; without it only those made here are used."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        campaign(Path(folder) / "campaign")
        writing = Path(folder) / "seeds"
        writing.mkdir()
        yield Bench(Path(folder), seeds.seeds(writing), seeds.real(data) if data else {})


def outcomes(made: Bench, name: str, numbers: Sequence[int]) -> Iterator[Outcome]:
    return guarded.tried(numbers, lambda number: made.attempt(name, made.case(name, number)))


def outcomes_of(made: Bench, name: str, contents: Sequence[bytes]) -> list[Outcome]:
    return list(guarded.tried(range(len(contents)), lambda place: made.attempt(name, contents[place])))


def outcome_of(made: Bench, name: str, content: bytes) -> Outcome:
    (found,) = outcomes_of(made, name, [content])
    return found


def shrunk(made: Bench, name: str, content: bytes, fault: Outcome) -> bytes:
    """A shorter input with the same fault, by leaving out ever smaller parts."""
    end, size = time.monotonic() + _SHRINKING_S, max(1, len(content) // 2)
    while size and time.monotonic() < end:
        low = 0
        while low < len(content) and time.monotonic() < end:
            shorter = content[:low] + content[low + size :]
            found = outcome_of(made, name, shorter)
            if (found.what, found.signature) == (fault.what, fault.signature):
                content = shorter
            else:
                low += size
        size //= 2
    return content


def parted(count: int, names: Sequence[str]) -> dict[str, int]:
    """How many inputs each format gets."""
    shares = {name: SHARES.get(name, 1) for name in names}
    whole = sum(shares.values())
    return {name: -(-count * share // whole) for name, share in shares.items()}


def run(made: Bench, count: int, names: Sequence[str], first: int, found: Path, say: Callable[[str], None]) -> int:
    """The number of different faults; each is told once, with the number that replays it."""
    different: Counter[tuple[str, str, str]] = Counter()
    for name, n in parted(count, names).items():
        start, counts = time.perf_counter(), Counter[str]()
        for outcome in outcomes(made, name, range(first, first + n)):
            counts[outcome.what] += 1
            if not outcome.is_fault:
                continue
            kind = (name, outcome.what, outcome.signature)
            different[kind] += 1
            if different[kind] == 1:
                content = made.case(name, outcome.number)
                found.mkdir(parents=True, exist_ok=True)
                (found / f"{name}-{outcome.number}.bin").write_bytes(content)
                least = shrunk(made, name, content, outcome)
                (found / f"{name}-{outcome.number}.least").write_bytes(least)
                say(f"FAULT {name} {outcome.number}: {outcome.what} {outcome.signature}: {least[:100]!r}")
        told = ", ".join(f"{what} {counts[what]}" for what in sorted(counts))
        say(f"{name}: {n} inputs in {time.perf_counter() - start:.0f} s: {told}")
    for (name, what, signature), times in different.items():
        say(f"{times} times {name}: {what} {signature}")
    return len(different)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="inputs altogether")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each format")
    parser.add_argument("--format", action="append", choices=sorted(TARGETS), help="only these formats")
    parser.add_argument("--replay", nargs=2, metavar=("FORMAT", "NUMBER"), help="one input, with what comes of it")
    parser.add_argument("--data", type=Path, default=real_data(), help="folder of real inputs")
    parser.add_argument(
        "--found", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-found", help="where faults go"
    )
    asked = parser.parse_args()
    with bench(asked.data) as made:
        if asked.replay:
            name, number = asked.replay[0], int(asked.replay[1])
            content = made.case(name, number)
            asked.found.mkdir(parents=True, exist_ok=True)
            (asked.found / f"{name}-{number}.bin").write_bytes(content)
            outcome = replace(outcome_of(made, name, content), number=number)
            print(f"{name} {number}, {len(content)} bytes: {outcome.what} {outcome.signature}\n{outcome.detail}")
            return int(outcome.is_fault)
        return int(run(made, asked.count, asked.format or list(TARGETS), asked.first, asked.found, _say) > 0)


def _say(text: str) -> None:
    print(text, flush=True)


def real_data() -> Path:
    """Where real inputs are, if they are."""
    return Path(os.environ.get("ENGINE_TEST_DATA", seeds.ROOT.parent / "shared" / "data"))


if __name__ == "__main__":
    raise SystemExit(main())

"""The same doors for atheris, which looks for new ways through the code by itself; for nights, where atheris is installed.

    python -m tests.faults.atheris_targets star corpus/ -max_total_time=3600

The first word is the format; the others go to libFuzzer. The seeds are written to the folder named first, if there is one.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":  # started from the root of the repository, as pytest is
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(arguments: list[str]) -> None:
    """Does not return: libFuzzer ends the process, with the input that led to an exception other than EngineError."""
    import atheris

    with atheris.instrument_imports(include=["engine", "starfile"]):
        from faults import fuzz

        from engine.faults import EngineError

    name = arguments[1]
    with fuzz.bench(fuzz.real_data()) as made:
        if corpus := next((Path(word) for word in arguments[2:] if not word.startswith("-")), None):
            _write_seeds(corpus, [*made.made[name], *made.real.get(name, [])])

        def one_input(content: bytes) -> None:
            with suppress(EngineError):
                made.attempt(name, content)

        atheris.Setup([arguments[0], *arguments[2:]], one_input)
        atheris.Fuzz()


def _write_seeds(folder: Path, contents: list[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents):
        (folder / f"seed-{number:03d}").write_bytes(content)


if __name__ == "__main__":
    main(sys.argv)

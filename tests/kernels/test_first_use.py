"""What happens the first time on a machine, when numba has compiled nothing yet."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engine

CODE = """
from engine.kernels import quick
quick.ready(lambda: print("compiling"))
from engine.kernels.compiled import insertion, score, turning
loops = [score._search, score._slopes, score._shifted, turning._moments, turning._add_cubic]
loops += [turning._joint_moments]
loops += [insertion._insert, insertion._fold]
print([len(loop.signatures) for loop in loops])
"""


@pytest.mark.slow
def test_the_user_is_told_of_the_compilation_once_and_everything_is_compiled(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for expected in ("compiling\n[1, 1, 1, 1, 1, 1, 1, 1]\n", "[1, 1, 1, 1, 1, 1, 1, 1]\n"):
        done = subprocess.run(
            [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, timeout=300, check=True
        )
        assert done.stdout == expected


def test_nothing_is_compiled_again_for_real_data():
    """The types of the rehearsal are those of the work, or a user would wait a second time, unwarned."""
    from engine.kernels.compiled import insertion, score, turning
    from engine.kernels.compiled.warm import warm_up

    warm_up()
    loops = [score._search, score._slopes, score._shifted, turning._moments, insertion._insert]
    loops += [turning._joint_moments]
    before = [len(loop.signatures) for loop in loops]
    import memory

    phantom = {"boxes": {"count": 6, "box_px": 24, "snr": 1.0}, "object": {"radius_px": 7, "blobs": 30}}
    given = memory.addresses("p", memory.run("phantom", phantom)["phantom"])
    memory.run(
        "alignment",
        {
            "data": {"particles": "p:particles", "table": "p:table", "template": "p:template"},
            "rounds": [{"bandpass": {"lowpass_fpx": 8}, "shifts": {"limits_xyz_px": [2, 2, 2]}}],
        },
        given,
    )
    assert [len(loop.signatures) for loop in loops] == before


@pytest.mark.slow
def test_a_machine_on_which_nothing_can_be_kept_compiles_at_every_start(tmp_path):
    shutil.copytree(Path(engine.__file__).parent, tmp_path / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "engine" / "kernels" / "compiled" / "__pycache__").touch()  # nobody makes a folder of it
    nowhere = {"HOME": "/proc", "XDG_CACHE_HOME": "/proc/nowhere", "PYTHONPATH": str(tmp_path)}
    run = {"cwd": tmp_path, "env": {**os.environ, **nowhere}, "timeout": 300, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", CODE], **run, check=True)
    assert done.stdout == "compiling\n[1, 1, 1, 1, 1, 1, 1, 1]\n"


EDITED = """
import numpy as np
from engine.kernels import compiled
box = np.arange(216, dtype=np.float32).reshape(6, 6, 6)
print(compiled.mean_and_deviation(box, box, np.eye(3), np.array([0.25, 0, 0]), 9.0)[0])
"""


@pytest.mark.slow
def test_what_is_compiled_goes_when_another_file_of_the_loops_changes(tmp_path):
    shutil.copytree(Path(engine.__file__).parent, tmp_path / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def printed():
        run = {"cwd": tmp_path, "env": environment, "timeout": 300}
        done = subprocess.run([sys.executable, "-c", EDITED], capture_output=True, text=True, check=True, **run)
        return float(done.stdout)

    before = printed()
    vector = tmp_path / "engine" / "kernels" / "compiled" / "vector.py"
    text = vector.read_text(encoding="utf-8")
    swapped = text.replace("_lerp(b, low, high, _splat", "_lerp(b, high, low, _splat")
    assert swapped != text
    vector.write_text(swapped, encoding="utf-8")
    assert printed() != before

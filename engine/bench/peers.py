"""Other programs on the same particles, where they are installed: acryo and RELION."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.spatial.transform import Rotation

from engine.bench.cases import WEDGE, Scene
from engine.bench.clock import Contestant
from engine.bench.contestants import near
from engine.data import Volume
from engine.files.blocks import Column, write_blocks
from engine.files.mrc import write_mrc
from engine.geometry import euler
from engine.kernels.fourier import indices
from engine.kernels.wedge import measured

NOT_INSTALLED = "not installed"
LARGEST_FOR_PEERS_PX = 96
"""Above this side a peer takes seconds per orientation and is left out."""

PIXEL_SIZE_A = 2.0
LONGEST_S = 900.0


@dataclass(frozen=True)
class Absent:
    """A peer that could not be timed, and why."""

    peer: str
    reason: str


def acryo_models(scene: Scene, n_rotations: int) -> list[Contestant] | Absent:
    """acryo's two usual alignment models; their templates are turned beforehand, which is not timed."""
    try:
        from acryo.alignment import PCCAlignment, ZNCCAlignment
    except ImportError:
        return Absent("acryo", NOT_INSTALLED)
    case = scene.case
    reach = (case.reach_px,) * 3
    rotations = Rotation.from_matrix(near(scene.rotations[0], n_rotations)[:, ::-1, ::-1])

    def contestant(name: str, model: type) -> Contestant:
        made = model(
            scene.reference,
            scene.mask,
            rotations=rotations,
            cutoff=case.lowpass_fpx / case.box_px,
            tilt=WEDGE.y_range_deg,
        )
        return Contestant(name, lambda: made.align(scene.particles[0], reach), n_rotations)

    return [contestant("acryo ZNCC", ZNCCAlignment), contestant("acryo PCC", PCCAlignment)]


@dataclass(frozen=True)
class Job:
    """A search that RELION and the engine both do; angles in degrees, order is HEALPix's."""

    name: str
    order: int
    sigma_deg: float
    cone_deg: float
    azimuth_deg: float
    step_deg: float
    n_particles: int


def relion_program() -> str | None:
    """Where relion_refine is; None where it is not installed."""
    return shutil.which("relion_refine")


def relion_version(program: str) -> str:
    """As in "RELION 3.1.3"."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return f"RELION {found.group()}" if found else "RELION"


def relion_seconds(program: str, scene: Scene, job: Job) -> float | str:
    """Processor seconds a particle takes in one iteration of the job, with all that is done once; or why it failed."""
    with TemporaryDirectory(prefix="engine-bench-") as name:
        folder = Path(name)
        _write_particles(scene, job, folder)
        before = _children_s()
        try:
            done = subprocess.run(
                [program, *_relion_options(scene, job)],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"took more than {LONGEST_S:.0f} s"
        except OSError as problem:
            return str(problem)
        if done.returncode != 0:
            return f"failed: {_complaint(done.stdout + done.stderr) or f'exit code {done.returncode}'}"
        return (_children_s() - before) / job.n_particles


def _complaint(text: str) -> str:
    """What RELION says after its last ERROR."""
    lines = [line.partition("ERROR:")[2].strip() for line in text.splitlines() if "ERROR:" in line]
    return next((line for line in reversed(lines) if line), "")


def _children_s() -> float:
    """Processor seconds of the programs that this one started and that have ended."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _relion_options(scene: Scene, job: Job) -> Sequence[str]:
    box_A = scene.case.box_px * PIXEL_SIZE_A
    resolution_A = box_A / scene.case.lowpass_fpx
    options = {
        "--i": "particles.star",
        "--o": "./run",
        "--ref": "reference.mrc",
        "--iter": 1,
        "--ini_high": resolution_A,
        "--strict_highres_exp": resolution_A,
        "--particle_diameter": 0.74 * box_A,
        "--healpix_order": job.order,
        "--oversampling": 1,
        "--offset_range": scene.case.reach_px,
        "--offset_step": 2,
        "--pad": 2,
        "--j": 1,
        "--random_seed": 1,
        **({"--sigma_ang": job.sigma_deg} if job.sigma_deg else {}),
    }
    flags = ("--ctf", "--flatten_solvent", "--zero_mask", "--dont_check_norm", "--norm", "--scale")
    return [*(str(word) for pair in options.items() for word in pair), *flags]


def _write_particles(scene: Scene, job: Job, folder: Path) -> None:
    """Particles, reference and wedge as MRC files on one grey scale (deviation of the noise 1), and their list.

    A local search starts at the truth, RELION's prior.
    """

    def write(box: np.ndarray, name: str) -> str:
        write_mrc(Volume(box.astype(np.float32), PIXEL_SIZE_A), folder / name)
        return name

    n, count = scene.case.box_px, job.n_particles
    axis = np.fft.fftshift(indices(n)).astype(np.float32)
    kz, ky, kx = np.meshgrid(axis, axis, axis, indexing="ij")
    wedge = write(measured(np.stack([kx, ky, kz], axis=-1), WEDGE), "wedge.mrc")
    write(scene.reference / scene.noise, "reference.mrc")
    columns: dict[str, Column] = {
        "rlnImageName": [write(scene.particles[i] / scene.noise, f"{i + 1}.mrc") for i in range(count)],
        "rlnCtfImage": [wedge] * count,
        "rlnMicrographName": ["one"] * count,
        "rlnOpticsGroup": np.ones(count),
    }
    angles = euler.to_relion(euler.angles(scene.rotations[:count]))
    columns |= zip(("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"), angles.T, strict=True)
    shifts_A = -scene.shifts_xyz_px[:count] * PIXEL_SIZE_A
    columns |= zip(("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst"), shifts_A.T, strict=True)
    columns |= {f"rlnCoordinate{axis}": np.zeros(count) for axis in "XYZ"}
    optics: dict[str, Column] = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["one"],
        "rlnImagePixelSize": [PIXEL_SIZE_A],
        "rlnImageSize": [n],
        "rlnImageDimensionality": [3],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    write_blocks({"optics": optics, "particles": columns}, folder / "particles.star")

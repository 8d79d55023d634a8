"""score.cu on the CPU: a stand-in for `cuda.launch` that runs the kernels' own source, compiled by g++ (see cuda_shim.cpp)."""

import ctypes
import subprocess
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FAULTS = {1: "threads wait for each other for ever", 2: "shared memory is overrun"}


class Shim:
    """Compiles each variant of the source once into a folder. stride: the order in which the threads of a block run."""

    def __init__(self, folder):
        self.folder = folder
        self.stride = 1
        self.calls = []
        self.library = cache(self._library)

    def launch(self, xp, name, options, blocks, threads, shared, *arguments):
        assert xp is np
        self.calls.append(name)
        values = [
            ctypes.c_void_p(part.ctypes.data)
            if isinstance(part, np.ndarray)
            else np.ctypeslib.as_ctypes_type(part.dtype)(part.item())
            for part in arguments
        ]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        run = self.library(options)[f"run_{name}"]
        fault = run((ctypes.c_int * 2)(*blocks), threads, shared, self.stride, pointers)
        assert fault == 0, f"{name}: {FAULTS[fault]}"

    def _library(self, options):
        out = self.folder / f"score{'_'.join(options)}.so"
        source = files("engine.kernels").joinpath("score.cu")
        flags = ["-std=c++17", "-O2", "-shared", "-fPIC", "-w", "-ffp-contract=off", f'-DSOURCE="{source}"', *options]
        subprocess.run(["g++", *flags, "-o", str(out), str(HERE / "cuda_shim.cpp")], check=True)
        return ctypes.CDLL(str(out))

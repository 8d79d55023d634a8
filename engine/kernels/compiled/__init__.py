"""The inner loops, compiled for the CPU by numba: each the twin of array code that does the same on any device.

Compiled once per machine (numba keeps the result in a cache); the global interpreter lock is released inside.
"""

from engine.kernels.compiled.insertion import empty, folded, insert
from engine.kernels.compiled.score import best_of_each, shifted, slopes
from engine.kernels.compiled.turning import correlation_under, mean_and_deviation, mean_over, sum_of_moved
from engine.kernels.compiled.vector import are_kept

__all__ = [
    "are_kept",
    "best_of_each",
    "correlation_under",
    "empty",
    "folded",
    "insert",
    "mean_and_deviation",
    "mean_over",
    "shifted",
    "slopes",
    "sum_of_moved",
]

"""A particle turned into its own frame: its coefficients and its weight at R k, so that relative rotations are shared.

Its score against the reference turned by R G equals, up to how the points fall, that of the turned particle against the
reference turned by G: all particles can be compared with one bank. Unlike the reference, which is smooth beyond its mask,
the particle carries noise out to its faces and a sharp wedge: against the score in the tomogram's frame the standard deviation
over the rotations of a cone is 0.0015 to 0.007, 6 to 10 % of the scores' own spread (phantoms at SNR 0.1 and 0.01, boxes of
48 and 64, low-pass 7 to 20; 10 and 17 % in a box of 32), beside a common factor of up to 10 %. Finer tables (padding 2 and 3)
and a mask on the particle do not help: what is left comes from the points, above all at the wedge's edge. Good for choosing
rotations, not for reporting.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.devices import namespace
from engine.kernels.correlate import Band
from engine.kernels.exact import box_of
from engine.kernels.fourier import even_fast
from engine.kernels.reference import sample, spectrum_table
from engine.kernels.wedge import Wedge, measured


def turned(selection: Band, values: Any, rotation: np.ndarray) -> Any:
    """The coefficients at R k, (n,) complex64, from those at k, (n,): of a band without wedge, as its points are."""
    xp = namespace(values)
    box = box_of(selection, values, even_fast(2 * selection.reach + 2))
    table = spectrum_table(box, selection.reach)
    return sample(table, selection.k_xyz, xp.asarray(rotation.T, dtype=xp.float32)[None])[0]


def turned_weight(selection: Band, wedge: Wedge, rotation: np.ndarray) -> Any:
    """The weight W at R k, (n,) float32, of a wedge on the points of a band without one."""
    xp = namespace(selection.k_xyz)
    k = xp.asarray(rotation, dtype=xp.float32) @ selection.k_xyz
    return xp.where(measured(k.T, wedge), selection.weight, xp.float32(0))

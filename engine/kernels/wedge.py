"""Missing wedge: which Fourier voxels a tilt range measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.devices import namespace


@dataclass(frozen=True)
class Wedge:
    """How a tomogram samples Fourier space: Dynamo's ftype and tilt ranges in degrees.

    ftype 0: everything; 1: single tilt about y, beam z; 2: single tilt about x, beam z; 3: cone, beam z; 4: dual tilt
    (union of 1 and 2); 5: as the particle's own weight says, which is kept elsewhere: no wedge; 6: single tilt about z, beam y;
    7: single tilt about x, beam y.
    """

    ftype: int = 0
    y_range_deg: tuple[float, float] = (-90.0, 90.0)
    x_range_deg: tuple[float, float] = (-90.0, 90.0)


CUSTOM = 5
"""The ftype of particles that are sampled as their own weight says."""

KNOWN_FTYPES = (0, 1, 2, 3, 4, CUSTOM, 6, 7)


def measured(k_xyz: Any, wedge: Wedge) -> Any:
    """True where a frequency was measured; k_xyz is (..., 3), any unit and device. Zero frequency is always measured.

    A tilt by theta about y measures the plane through ky and the direction (cos theta, 0, sin theta): the projection
    coordinate x_p = x cos theta + z sin theta.
    """
    kx, ky, kz = k_xyz[..., 0], k_xyz[..., 1], k_xyz[..., 2]
    match wedge.ftype:
        case 0 | 5:
            return namespace(k_xyz).ones(kx.shape, dtype=bool)
        case 1:
            return _inside(kx, kz, wedge.y_range_deg)
        case 2:
            return _inside(ky, kz, wedge.x_range_deg)
        case 3:
            xp = namespace(k_xyz)
            return _inside(xp.hypot(kx, ky), kz, wedge.y_range_deg)
        case 4:
            return _inside(kx, kz, wedge.y_range_deg) | _inside(ky, kz, wedge.x_range_deg)
        case 6:
            return _inside(kx, ky, wedge.y_range_deg)
        case 7:
            return _inside(kz, ky, wedge.y_range_deg)
    raise ValueError(f"ftype {wedge.ftype} is not one of {KNOWN_FTYPES}")


def _inside(along: Any, beam: Any, range_deg: tuple[float, float]) -> Any:
    """True where the angle of (along, beam), folded to (-90, 90], lies in the range; the limits are measured."""
    xp = namespace(along)
    negative = along < 0
    angle = xp.degrees(xp.arctan2(xp.where(negative, -beam, beam), xp.where(negative, -along, along)))
    low, high = range_deg
    slack = 1e-4
    inside = (angle >= low - slack) & (angle <= high + slack)
    on_beam = (along == 0) & (beam != 0)
    beam_is_measured = bool(high >= 90 - slack or low <= -90 + slack)
    return xp.where(on_beam, beam_is_measured, inside | ((along == 0) & (beam == 0)))

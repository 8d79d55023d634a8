"""Two half-sets that were aligned on their own become one table, one average, and an FSC that can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data import Table, Volume
from engine.devices import Work
from engine.kernels import average
from engine.kernels.half_maps import fsc_curves
from engine.kinds.alignment.adaptive import in_force, next_lowpass_fpx
from engine.kinds.averaging import ended, fsc_curve
from engine.kinds.form import Bandpass, Form, Helix
from engine.kinds.imposing import imposed
from engine.outputs import Outputs


class Join(Form):
    """What joining needs to know."""

    symmetry: str
    helix: Helix | None
    bandpass: Bandpass
    seed: int


def join(settings: Join, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The rows of both halves in the order of their tags, their common average, and the FSC between them.

    With an adaptive band-pass, also the low-pass that this FSC sets. lowpass_fpx: that in force, where it is not the round's.
    """
    table: Table = inputs["odd_table"].joined(inputs["even_table"]).sorted_by("tag")
    odd, even, fsc_mask = inputs["odd_average"], inputs["even_average"], inputs["fsc_mask"]
    merged, weight = average.merged([odd.data, even.data], [inputs["odd_weight"], inputs["even_weight"]])
    pixel_size_A, box_px = odd.pixel_size_A, odd.data.shape[-1]
    bandpass, adaptive = in_force(settings.bandpass, inputs.get("lowpass_fpx")), settings.bandpass.adaptive
    compared = [odd.data, even.data]
    if adaptive is not None and adaptive.symmetrized:
        compared = [imposed(half, settings.symmetry, settings.helix, pixel_size_A) for half in compared]
    curves = fsc_curves(compared[0], compared[1], fsc_mask.data, settings.seed)
    curve, masked, unmasked, random = (
        ended(part, weight) for part in (curves.corrected, curves.masked, curves.unmasked, curves.random)
    )
    stored = fsc_curve(
        curve,
        box_px,
        pixel_size_A,
        "half-sets aligned on their own",
        gold_standard=True,
        beside={"fsc_masked": masked, "fsc_unmasked": unmasked, "fsc_random": random},
    )
    made: dict[str, Any] = {}
    told: dict[str, Any] = {"low-pass (Fourier px)": bandpass.shells(box_px, pixel_size_A or 1.0)[1]}
    if adaptive is not None:
        lowpass_fpx = next_lowpass_fpx(curve, bandpass, adaptive, box_px, pixel_size_A)
        made["next_lowpass_fpx"] = np.array([lowpass_fpx])
        told["next low-pass (Fourier px)"] = lowpass_fpx
    symmetric = imposed(merged, settings.symmetry, settings.helix, pixel_size_A)
    n_odd, n_even = (int(inputs[f"{half}_table"]["averaged"].sum()) for half in ("odd", "even"))
    raw = (n_odd * inputs["odd_raw"].data + n_even * inputs["even_raw"].data) / (n_odd + n_even)
    return {
        "table": table,
        "refs/001/average": Volume(np.asarray(merged), pixel_size_A),
        "refs/001/average_symmetrized": Volume(symmetric, pixel_size_A),
        "refs/001/average_raw": Volume(raw.astype(np.float32), pixel_size_A),
        "refs/001/fourier_weight": np.asarray(weight, dtype=np.float32),
        "refs/001/fsc": stored,
        "summary": {
            "particles": len(table),
            "averaged": int(table["averaged"].sum()),
            "mean cc": float(table["cc"][table["aligned"] == 1].mean()),
            "resolution at FSC 0.143 (A)": stored.notes["resolution_at_0.143_A"],
            **told,
        },
        **made,
    }

"""An alignment of disturbed particles: the project that the tests of `alignment` vary."""

import memory

from engine.data import ParticleFacts, VolumeFacts
from engine.kinds import alignment
from engine.kinds.comparison import pairs

PHANTOM = {
    "object": {"blobs": 40, "radius_px": 8},
    "boxes": {"count": 24, "box_px": 28, "snr": 0.3, "shift_px": 2},
    "start": {"angle_error_deg": 10, "shift_error_px": 2, "template_lowpass_fpx": 5},
}
ROUND = {
    "search": "grid",
    "cone": {"range_deg": 24, "step_deg": 8},
    "azimuth": {"range_deg": 24, "step_deg": 8},
    "refine": {"levels": 2},
    "shifts": {"limits_xyz_px": [4, 4, 4]},
    "bandpass": {"lowpass_fpx": 8},
}
DATA = {"particles": "phantom:particles", "table": "phantom:table", "template": "phantom:template"}
FACTS = {"particles": ParticleFacts(24, 28, 4.0), "template": VolumeFacts((28, 28, 28), 4.0)}


def phantom():
    """The phantom's results, by address."""
    return memory.addresses("phantom", memory.run("phantom", PHANTOM)["phantom"])


def align(phantom, *rounds, work=None, data=None, **more):
    values = {"data": {**DATA, **(data or {})}, "rounds": [{**ROUND, **r} for r in rounds or ({},)], **more}
    values["data"] = {key: value for key, value in values["data"].items() if value is not None}
    return memory.run("alignment", values, phantom, work)


def errors(table, phantom):
    return pose_errors(table, phantom["phantom:truth"])


def pose_errors(table, truth, symmetry="C1"):
    """Angle and shift errors of the particles of equal tags."""
    return pairs.errors(table, truth, pairs.by_tag(table, truth), symmetry)


class Told:
    """A look that knows what it was told."""

    def __init__(self, table, **facts):
        self._table, self._facts = table, {**FACTS, **facts}

    def particles(self, text):
        return self._facts["particles"]

    def table(self, text):
        return self._table

    def volume(self, text):
        return self._facts["template"]


def faults(table, **facts):
    values = {name: facts.pop(name) for name in list(facts) if name not in FACTS}
    form = alignment.Project.model_validate({"data": DATA, "rounds": [{**ROUND, **values}]})
    return [(fault.key, fault.what) for fault in alignment.check(form, Told(table, **facts))]

"""Things that travel between the rooms: they hold values and know nothing of files, steps or screens."""

from engine.data.catalogue import Catalogue, TomogramFacts
from engine.data.curve import Curve
from engine.data.facts import ParticleFacts, VolumeFacts
from engine.data.joining import joined
from engine.data.maps import Maps
from engine.data.marks import Marks
from engine.data.particles import JoinedParticles, ParticleArray, Particles
from engine.data.residues import Residues
from engine.data.source import Source
from engine.data.spectra import Spectra
from engine.data.table import COLUMNS, EXTRA_COLUMNS, Half, Table
from engine.data.tomogram import HeldTomogram, Tomogram
from engine.data.volume import Volume
from engine.data.weights import WeightFacts, Weights

__all__ = [
    "COLUMNS",
    "EXTRA_COLUMNS",
    "Catalogue",
    "Curve",
    "Half",
    "HeldTomogram",
    "JoinedParticles",
    "Maps",
    "Marks",
    "ParticleArray",
    "ParticleFacts",
    "Particles",
    "Residues",
    "Source",
    "Spectra",
    "Table",
    "Tomogram",
    "TomogramFacts",
    "Volume",
    "VolumeFacts",
    "WeightFacts",
    "Weights",
    "joined",
]

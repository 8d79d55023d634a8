"""Two tomograms with the same chain of blobs in each: boxes cut from both, and the average of each."""

import numpy as np

from engine.kernels import blobs

NUMBERS = (1, 3)
CHAIN = blobs.chiral_chain(8, 4.0, np.random.default_rng(0))

FILES = {
    "tomos": 'kind = "catalogue"\ntomograms = [{ number = 1, path = "TS_1.mrc" }, { number = 3, path = "TS_3.mrc" }]\n',
    "crop": """kind = "extraction"
each = "tomogram"
[data]
catalogue = "tomos:tomograms"
table = "picks.csv"
[box]
size_px = 16
""",
    "mean": 'kind = "average"\neach = "tomogram"\n[data]\nparticles = "crop:particles"\ntable = "crop:table"\n',
}

"""IMOD's binary models, byte by byte, for tests of their reader."""

import struct

import numpy as np


def chunk(name, body):
    return name + struct.pack(">i", len(body)) + body


def imod_model(contours, *, pixel=(1.0, 0), flags=0, size=0, scattered=False, sizes=None, minx=b"", mesh=b""):
    """The bytes of a model: one object, contours of points in IMOD's coordinates."""
    header = b"IMODV1.2" + b"name".ljust(128, b"\0") + struct.pack(">3i i I 4i", 99, 99, 99, 1, flags, 1, 0, 0, 255)
    header += struct.pack(">3f 3f 5i f i i 3f", 0, 0, 0, 1, 1, 1, 0, 0, 0, 3, 128, *pixel, 0, 0, 0, 0)
    assert len(header) == 240
    objt = b"object".ljust(64, b"\0") + bytes(64)
    objt += struct.pack(">i I i i 3f i 8B 2i", len(contours), (1 << 9) * scattered, 0, 1, 0, 1, 0, size, *[0] * 8, 0, 0)
    body = b"OBJT" + objt
    for points in contours:
        body += b"CONT" + struct.pack(">i I 2i", len(points), 0, 0, 0) + np.asarray(points, ">f4").tobytes()
        if sizes is not None:
            body += chunk(b"SIZE", np.asarray(sizes, ">f4").tobytes())
    return header + body + mesh + chunk(b"IMAT", bytes(16)) + minx + b"IEOF"

"""Functions on pixel arrays: float32, zyx, pixels, on any device; the array says where it lives."""

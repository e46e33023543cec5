"""This package draws label noise, takes it from people or files, and keeps a record of it."""

from eactf.noise.apply import apply_noise
from eactf.noise.draw import COUNTS, KINDS, draw_noise, noise_matrix, realised_rate
from eactf.noise.files import RAF_CLASSES, NoiseFile, read_noise_file, write_noise_file
from eactf.noise.manifest import NoiseManifest

__all__ = [
    "COUNTS",
    "KINDS",
    "RAF_CLASSES",
    "NoiseFile",
    "NoiseManifest",
    "apply_noise",
    "draw_noise",
    "noise_matrix",
    "read_noise_file",
    "realised_rate",
    "write_noise_file",
]

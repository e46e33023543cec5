"""This package draws label noise, takes it from people or files, and keeps a record of it."""

from eactf.noise.apply import apply_noise
from eactf.noise.draw import COUNTS, KINDS, draw_noise, noise_matrix, realised_rate
from eactf.noise.expressions import BASIC_EXPRESSIONS, basic_expression
from eactf.noise.files import RAF_CLASSES, NoiseFile, read_noise_file, write_noise_file
from eactf.noise.machine import machine_law, machine_notices
from eactf.noise.machine_values import label_by_machine, machine_values
from eactf.noise.manifest import NoiseManifest

__all__ = [
    "BASIC_EXPRESSIONS",
    "COUNTS",
    "KINDS",
    "RAF_CLASSES",
    "NoiseFile",
    "NoiseManifest",
    "apply_noise",
    "basic_expression",
    "draw_noise",
    "label_by_machine",
    "machine_law",
    "machine_notices",
    "machine_values",
    "noise_matrix",
    "read_noise_file",
    "realised_rate",
    "write_noise_file",
]

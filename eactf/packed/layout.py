"""This module holds the names, types and limits of a packed file, for its writer and its reader."""

from __future__ import annotations

import re

import numpy as np

__all__ = [
    "DIGEST",
    "FORMAT",
    "ID",
    "IMAGE",
    "LABEL",
    "LABEL_NAME",
    "MAX_ATTRIBUTE",
    "MAX_CELL",
    "MAX_CLASSES",
    "MAX_COLUMNS",
    "MAX_LABEL_SETS",
    "MAX_NAME",
    "MAX_VALUES",
    "SPLIT",
    "TARGET",
    "VALUE",
    "VERSION",
    "VOTE_TYPES",
]

FORMAT = "eactf-packed"
VERSION = 1

IMAGE = np.dtype("u1")
ID = np.dtype("<i8")
DIGEST = np.dtype("<u8")
SPLIT = np.dtype("u1")
LABEL = np.dtype("<i2")
TARGET = np.dtype("<f4")
VALUE = np.dtype("<f4")
VOTE_TYPES = (np.dtype("u1"), np.dtype("<f4"))

MAX_CLASSES = 32_767  # what an int16 can index
MAX_LABEL_SETS = 64
MAX_VALUES = 64  # continuous targets
MAX_COLUMNS = 64  # further columns of a manifest
MAX_CELL = 1_024  # bytes of one sample's value there
MAX_NAME = 1_024  # bytes of one sample's name
MAX_ATTRIBUTE = 60_000  # HDF5 keeps an attribute of under 64 KiB in the object header

LABEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a label set or a continuous target may be called."""

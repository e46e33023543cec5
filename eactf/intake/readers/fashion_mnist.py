"""This module lists Fashion-MNIST from its IDX files (Xiao, Rasul and Vollgraf, 2017).

An IDX file is a magic number (type and number of dimensions), the dimensions as big-endian 32-bit
numbers, then the values; the published files are compressed by gzip.
"""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.readers.card import Card, check_counts
from eactf.intake.readers.folders import first_of
from eactf.intake.sources.joined_images import JoinedImages

__all__ = ["CARD", "DATASETS", "list_fashion_mnist", "read_idx"]

CARD = Card(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    class_total=10,
    counts={"train": 60_000, "test": 10_000},
    class_counts={"train": (6_000,) * 10, "test": (1_000,) * 10},
    needs="free download",
    get="the four .gz files from github.com/zalandoresearch/fashion-mnist",
    layout=(
        "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz",
    ),
    licence="MIT (Zalando SE)",
    terms="MIT",
    quirks=(
        "28 x 28, grey; there is no validation split",
        "MNIST's files have the same names and form, and would be read as clothes",
    ),
    citation="Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking"
    " machine learning algorithms, 2017",
)

_UNSIGNED_BYTES = 8  # IDX's number of the type
_SPLITS = {"train": 0, "t10k": 2}
_MAX_BYTES = 1 << 30


def list_fashion_mnist(folder: Path) -> Listing:
    """List Fashion-MNIST; the files may be as published or unpacked.

    Raises `DataError` where a file is not what its header says.
    """
    arrays = {
        name: (_read(folder, name, "images", 3), _read(folder, name, "labels", 1))
        for name in _SPLITS
    }
    for name, (images, labels) in arrays.items():
        if len(images) != len(labels):
            raise DataError(f"{folder}: {name} has {len(images)} images and {len(labels)} labels")
        if labels.max() >= len(CARD.classes):
            raise DataError(f"{folder}: {name}: expected labels 0 to 9, received {labels.max()}")
    given = np.concatenate([labels for _, labels in arrays.values()]).astype(np.int64)
    splits = np.concatenate([np.full(len(a), _SPLITS[n], np.uint8) for n, (a, _) in arrays.items()])
    return Listing(
        source=folder,
        kind=CARD.name,
        class_names=CARD.classes,
        names=np.array(
            [f"{n}-images[{row}]" for n, (a, _) in arrays.items() for row in range(len(a))]
        ),
        splits=splits,
        given=given,
        images=JoinedImages([ArrayImages(images) for images, _ in arrays.values()]),
        ids=np.arange(len(given)),
        findings=check_counts(CARD, CARD.classes, splits, given),
        notes={"dataset": CARD.title, "licence": CARD.licence},
    )


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An IDX file of bytes with so many dimensions, compressed by gzip or not.

    Raises `DataError` where the header is another one, or does not fit the length.
    """
    header_size = 4 + 4 * dimensions
    try:
        with gzip.open(path) if _is_gzip(path) else path.open("rb") as file:
            header = file.read(header_size)
            shape = _shape(path, header, dimensions)
            content = file.read(prod(shape) + 1)
    except (gzip.BadGzipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(
            f"{path} is damaged: {reason_of(error)}", hint="download it again"
        ) from error
    if len(content) != prod(shape):
        more = "more than" if len(content) > prod(shape) else f"{len(content):,} of"
        raise DataError(
            f"{path}: its header promises {prod(shape):,} values, it has {more} that",
            hint="download it again",
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    magic = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    if len(header) < 4 + 4 * dimensions or header[:4] != magic:
        raise DataError(
            f"{path}: expected an IDX file of bytes in {dimensions} dimensions, beginning with"
            f" {magic.hex()}, received {header[:4].hex() or 'an empty file'}"
        )
    shape = tuple(int.from_bytes(header[at : at + 4], "big") for at in range(4, len(header), 4))
    if not 0 < prod(shape) <= _MAX_BYTES:
        raise DataError(f"{path}: its header promises the shape {shape}")
    return shape


def _read(folder: Path, split: str, what: str, dimensions: int) -> np.ndarray:
    names = [f"{split}-{what}{mark}idx{dimensions}-ubyte" for mark in ("-", ".")]
    files = [f"{name}{suffix}" for name in names for suffix in (".gz", "")]
    return read_idx(first_of(CARD, folder, files), dimensions)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


DATASETS = {"fashion-mnist": (CARD, list_fashion_mnist)}

"""A listing says what a user's data holds before any image is decoded.

Whatever reads a source (an image folder, a manifest, arrays, a published data set) is called a door
and makes a `Listing`. Scanning, checking and packing know nothing but listings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from eactf.errors import DataError
from eactf.intake.findings import Finding
from eactf.packed.identity import pixel_digest
from eactf.packed.image_rows import ImageRows

__all__ = ["ArrayImages", "BadImage", "Images", "Listing"]


class BadImage(DataError):  # noqa: N818 - a verdict on a file of the user's
    """An image that cannot be used.

    `reason` is one of `eactf.intake.bad_images.REASONS`; `detail` says more in a few words.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Images(Protocol):
    """The images of a listing, by row; safe to be called from several threads."""

    def __len__(self) -> int: ...

    def open(self, row: int) -> Image.Image:
        """The image as its file has it, the header read and the pixels not yet.

        To be closed by the caller. Raises `BadImage`.
        """

    def bytes_on_disk(self, row: int) -> int:
        """Size of the image's file; of its pixels where it has no file of its own."""

    def digest(self, row: int) -> int:
        """A 64-bit hash of the image's file; of its values where it has no file of its own.

        Asked for only of images that have been opened. Raises `BadImage`.
        """


@dataclass(frozen=True)
class ArrayImages:
    """Images that lie in an array, `(n, height, width)` or `(n, height, width, 1 or 3)` uint8.

    Anything serves that gives one image for an integer index and has a `shape`: an array, a memory
    map, a lazy view of a file. `digests` `(n,)` uint64 are those of the files that the images once
    were, where that is known.
    """

    array: np.ndarray | ImageRows
    digests: np.ndarray | None = None

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def open(self, row: int) -> Image.Image:
        pixels = np.asarray(self.array[row])
        if pixels.ndim == 3 and pixels.shape[-1] == 1:
            pixels = pixels[..., 0]
        return Image.fromarray(pixels)

    def bytes_on_disk(self, row: int) -> int:
        return int(np.prod(self.array.shape[1:]))

    def digest(self, row: int) -> int:
        if self.digests is not None:
            return int(self.digests[row])
        return pixel_digest(np.asarray(self.array[row]))


@dataclass(frozen=True)
class Listing:
    """The samples of a data set that is still in the user's own files; row `i` is the same sample.

    `source` is what the user named, `kind` the door ("folder", "manifest", "npz", "hdf5", "packed"
    or the name of a published data set). `names` `(n,)` are unique texts: paths relative to the
    source with `/`, or `train_images[12]`. `splits` `(n,)` uint8 index `SPLITS`. `given` `(n,)`
    int64 is the label to train on, -1 where it is missing or unknown: such samples are never
    packed. `clean`, `labels`, `values`, `targets` and `votes` are as in `Samples`. `columns` are
    further columns of a manifest, `(n,)` texts each, kept as they are. `ids` `(n,)` int64 are
    unique and do not depend on which images turn out bad; None where packing is to make them of
    each image's name and content (`IdMaker`), of the content alone where `named_by_row`. `findings`
    are what reading the labels turned up, `notes` are facts to keep.
    """

    source: Path
    kind: str
    class_names: tuple[str, ...]
    names: np.ndarray
    splits: np.ndarray
    given: np.ndarray
    images: Images
    ids: np.ndarray | None = None
    named_by_row: bool = False
    clean: np.ndarray | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    votes: np.ndarray | None = None
    vote_columns: tuple[str, ...] = ()
    targets: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    notes: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrays: dict[str, Sized | None] = {"splits": self.splits, "given": self.given}
        arrays |= {"ids": self.ids, "images": self.images, "clean": self.clean}
        arrays |= {"votes": self.votes, "targets": self.targets, **self.labels, **self.columns}
        arrays |= {f"values/{name}": array for name, array in self.values.items()}
        for name, array in arrays.items():
            if array is not None and len(array) != len(self.names):
                raise DataError(f"{name} has {len(array)} rows, names has {len(self.names)}")

    def __len__(self) -> int:
        return len(self.names)

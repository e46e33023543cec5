"""What makes an image the same image: a digest of its content, and the id made of it and its name.

Positions cannot serve: one more picture in a folder moves all that stand behind it, and what was
held out of training would then be another part of the data.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from io import BufferedReader

import numpy as np

from eactf.packed.image_rows import ImageRows
from eactf.packed.records import MAX_ID, Samples

__all__ = [
    "IdMaker",
    "content_digest",
    "digests_of",
    "file_digest",
    "image_digests",
    "pixel_digest",
]

_BATCH_BYTES = 8 * 2**20


def content_digest(content: bytes | bytearray | memoryview) -> int:
    """64 bits of the BLAKE2b hash of `content`: a file's bytes, or an image's shape and pixels."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def file_digest(file: BufferedReader) -> int:
    """The digest of an open file's bytes, read a piece at a time."""
    found = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8))
    return int.from_bytes(found.digest(), "little")


def pixel_digest(image: np.ndarray) -> int:
    """The digest of an image that lies in no file of its own, by its shape and values.

    A grey image is the same with and without an axis for its one channel.
    """
    shape = image.shape[:-1] if image.ndim == 3 and image.shape[-1] == 1 else image.shape
    head = f"{image.dtype.str} {shape}".encode()
    return content_digest(head + np.ascontiguousarray(image).tobytes())


def image_digests(images: np.ndarray | ImageRows) -> np.ndarray:
    """The digest `(n,)` uint64 of each of `images` `(n, height, width, channels)`; reads them all.

    Images that lie in a file are read a few at a time.
    """
    digests = np.empty(len(images), np.uint64)
    batch = max(1, _BATCH_BYTES // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), batch):
        block = np.asarray(images[start : start + batch])
        digests[start : start + len(block)] = [pixel_digest(image) for image in block]
    return digests


def digests_of(samples: Samples) -> np.ndarray:
    """The digests `(n,)` uint64 of `samples`: those kept when they were packed, else of pixels."""
    return samples.digests if samples.digests is not None else image_digests(samples.images)


class IdMaker:
    """Makes ids of names and contents, one after the other, each only once.

    An id is 31 bits of a hash of both, so that other images, more or fewer of them, leave it as it
    is. Where two hashes meet, which among a thousand images is one chance in four thousand, the
    later image gets the next free number.
    """

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._seen: Counter[tuple[str, int]] = Counter()

    def make(self, name: str, digest: int) -> int:
        """The id, 0 to `MAX_ID`, of the image `name` whose content has `digest`.

        Images without a name of their own are all called ""; equal ones are told apart by counting.
        """
        count = self._seen[name, digest]
        self._seen[name, digest] += 1
        key = f"{digest:016x} {count} {name}".encode(errors="surrogatepass")
        number = content_digest(key) & MAX_ID
        while number in self._taken:
            number = number + 1 if number < MAX_ID else 0
        self._taken.add(number)
        return number

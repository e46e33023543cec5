"""`Room` makes threads wait for memory, so that large images are not all decoded at once.

What is bounded is bytes and not a number of images: a hundred small ones take less than one of
ninety million pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Condition

from PIL import Image

from eactf.intake.parallel import usable_cores

__all__ = ["Room", "decoding_bytes", "room_for"]

_LEAST = 2**29
_PER_CORE = 2**26

# How many bytes a pixel decoders take beside those of the pixels that they give.
_DECODERS = {"AVIF": 8, "JPEG2000": 12, "TIFF": 4, "WEBP": 8}
_PROGRESSIVE = 6


class Room:
    """A number of bytes that threads share; whoever finds too few left waits for the others."""

    def __init__(self, size: int) -> None:
        self._size, self._taken = size, 0
        self._changed = Condition()

    @contextmanager
    def hold(self, needed: int) -> Iterator[None]:
        """Hold `needed` bytes meanwhile; more bytes than the room has are held alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + needed <= self._size)
            self._taken += needed
        try:
            yield
        finally:
            with self._changed:
                self._taken -= needed
                self._changed.notify_all()


# One for all threads of the process.
_shared = Room(max(_LEAST, _PER_CORE * usable_cores()))


@contextmanager
def room_for(image: Image.Image) -> Iterator[None]:
    """Wait until there is room to decode an image; when it is left the image's memory is freed."""
    with _shared.hold(decoding_bytes(image)), closing(image):
        yield


def decoding_bytes(image: Image.Image) -> int:
    """About how much memory it takes to decode an image and bring it upright, by its header."""
    grey = image.mode in ("1", "L", "P")
    stored = 1 if grey else 2 if image.mode.startswith("I;16") else 4
    result = 0 if image.mode in ("L", "RGB") else 4
    decoder = _DECODERS.get(image.format or "", 0)
    if image.info.get("progressive"):
        decoder = _PROGRESSIVE
    return image.width * image.height * (stored + result + decoder)

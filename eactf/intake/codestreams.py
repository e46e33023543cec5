"""`codestream_size` reads the size of a JPEG 2000 image from the part that is decoded.

A JP2 file says its size twice, in a header of the container and in the codestream. The decoder
makes room for what the codestream says.
"""

from __future__ import annotations

from typing import IO

from PIL import Image, Jpeg2KImagePlugin

from eactf.intake.listing import BadImage

__all__ = ["codestream_size"]

_START = b"\xff\x4f\xff\x51"
_MOST_BOXES = 64
_MOST_CHANNELS = 4


def codestream_size(image: Image.Image) -> tuple[int, int]:
    """Width and height that the codestream says, its offset included; 0, 0 for other formats.

    Raises `BadImage` where there is no codestream, or one of more than four channels.
    """
    if not isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile) or image.fp is None:
        return 0, 0
    file = image.fp
    place = file.tell()
    try:
        return _size(file)
    except BadImage:
        image.close()
        raise
    finally:
        if not file.closed:
            file.seek(place)


def _size(file: IO[bytes]) -> tuple[int, int]:
    file.seek(_codestream(file))
    start = file.read(42)
    if len(start) < 42 or not start.startswith(_START):
        raise BadImage("broken", "it has no codestream")
    channels = int.from_bytes(start[40:42], "big")
    if channels > _MOST_CHANNELS:
        raise BadImage("broken", f"a codestream of {channels:,} channels")
    return int.from_bytes(start[8:12], "big"), int.from_bytes(start[12:16], "big")


def _codestream(file: IO[bytes]) -> int:
    """Where in the file the codestream begins."""
    file.seek(0)
    if file.read(4) == _START:
        return 0
    place = 0
    for _ in range(_MOST_BOXES):
        file.seek(place)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        long = length == 1
        if kind == b"jp2c":
            return place + (16 if long else 8)
        length = int.from_bytes(header[8:16], "big") if long else length
        if length < 8:
            break
        place += length
    raise BadImage("broken", "it has no codestream")

"""This module decodes every image file that eactf reads, into uint8 arrays of one shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from eactf.intake.bad_images import bad_image
from eactf.intake.image_files import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    FileImages,
    open_image,
    quiet_pillow,
    strictly,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "FileImages",
    "as_array",
    "is_grey",
    "orientation",
    "quiet_pillow",
    "read_image",
    "strips",
    "upright",
    "upright_size",
]

_STRIP = 2**22
"""Pixels that are brought to 8 bits at a time."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: Path, *, size: int, channels: int) -> np.ndarray:
    """An image file as `(size, size, channels)` uint8, by `upright` and `as_array`.

    Raises `BadImage`, a `DataError`, with the reason.
    """
    with open_image(path) as image:
        return as_array(upright(image), height=size, width=size, channels=channels)


def upright(image: Image.Image) -> Image.Image:
    """The first frame in 8 bits, turned as its EXIF data says: of mode `L` if grey, else `RGB`.

    Transparency is laid on black. Values of 16 bits keep their upper 8, as Pillow itself does for
    colour. 32-bit integers and floats do not say how far they reach: white is the least of 1 (of
    floats), 255, 65,535 and 2,147,483,647 that no value exceeds. Colour profiles are not applied.
    Large images are brought to 8 bits strip by strip, and given as they are where nothing is to be
    changed. Raises `BadImage` when the pixels cannot be decoded.
    """
    with strictly():
        try:
            image.load()
            turn = _TURNS.get(orientation(image))
            plain = _plain(image)
            return plain if turn is None else plain.transpose(turn)
        except Exception as error:  # Pillow's decoders raise many kinds on a broken file
            raise bad_image(error) from None


def as_array(image: Image.Image, *, height: int, width: int, channels: int) -> np.ndarray:
    """What `upright` gives as `(height, width, channels)` uint8, resized bilinearly if need be.

    Channels are 1 or 3; colour becomes grey by ITU-R 601 luma.
    """
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(height, width, channels)


def is_grey(image: Image.Image) -> bool:
    """Whether the image's mode has no colours; a palette counts as colour."""
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1, upright, where there is none or none that can be read."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a damaged EXIF block is no reason to refuse the pixels
        return 1
    return int(found) if found in _TURNS else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once turned, from the header alone."""
    # A PNG may carry EXIF data behind its pixels, and Pillow decodes all of it to look there; the
    # size that it gives of a TIFF is that of the turned image already.
    tells = image.format not in ("PNG", "TIFF") or "exif" in image.info
    width, height = image.size
    return (height, width) if tells and orientation(image) >= 5 else (width, height)


def strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """An image from top to bottom in strips of a few megabytes, each with its first row."""
    if image.width * image.height <= _STRIP:
        yield 0, image
        return
    height = max(1, _STRIP // max(1, image.width))
    for top in range(0, image.height, height):
        yield top, image.crop((0, top, image.width, min(top + height, image.height)))


def _plain(image: Image.Image) -> Image.Image:
    """A decoded image in mode `L` or `RGB`, without transparency."""
    mode, white = "L" if is_grey(image) else "RGB", _white(image)
    if image.width * image.height <= _STRIP:
        return _opaque(_eight_bit(image, white)).convert(mode)
    if image.mode == mode and "transparency" not in image.info:
        return image
    plain = Image.new(mode, image.size)
    for top, strip in strips(image):
        plain.paste(_opaque(_eight_bit(strip, white)).convert(mode), (0, top))
    return plain


def _white(image: Image.Image) -> float | None:
    """The value that becomes 255: 0 where values of 16 bits keep their upper 8; None for 8 bits."""
    if not image.mode.startswith(("I", "F")):
        return None
    # Older versions of Pillow call the 16 bits of a PNG or PGM file I, which else means 32.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return 0
    most = max(_finite(strip).max() for _, strip in strips(image))
    tops = (1, 255, 65_535, 2**31 - 1)[image.mode != "F" :]
    return next((top for top in tops if most <= top), tops[-1])


def _eight_bit(image: Image.Image, white: float | None) -> Image.Image:
    """Grey of 16 or 32 bits brought to 8 by value; Pillow's own conversion clips."""
    if white is None:
        return image
    if white == 0:
        values = np.asarray(image)
        key = image.info.get("transparency")
        return Image.fromarray(np.where(values == key, 0, values >> 8).astype(np.uint8))
    return Image.fromarray(
        np.clip(np.rint(_finite(image) * (255 / white)), 0, 255).astype(np.uint8)
    )


def _finite(image: Image.Image) -> np.ndarray:
    values = np.asarray(image).astype(np.float64)
    return np.nan_to_num(values, copy=False, posinf=0, neginf=0)


def _opaque(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image.convert("RGBA"))

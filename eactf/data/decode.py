"""Image files as arrays, read with Pillow."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eactf.errors import DataError, UsageError

__all__ = ["IMAGE_SUFFIXES", "find_images", "read_image"]

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def find_images(paths: tuple[Path, ...]) -> list[Path]:
    """The image files among `paths`; folders are searched through, in the order of their names.

    A file named outright is taken whatever its suffix. Raises `UsageError` for a path that is not
    there and for folders without a single image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if _looks_like_image(file))
            if not inside:
                raise UsageError(f"there is no image in {path}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"there is no file {path}")
    return found


def read_image(path: Path, *, size: int, channels: int) -> np.ndarray:
    """An image as `(size, size, channels)` uint8, turned as its EXIF data says; first frame only.

    Resized bilinearly; transparency is laid on black. Raises `DataError` with the reason when the
    file is no image, is cut short, or claims more pixels than Pillow lets through.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                image = _eight_bit(ImageOps.exif_transpose(file))
                image = _flatten(image).convert("L" if channels == 1 else "RGB")
                image = image.resize((size, size), Image.Resampling.BILINEAR)
    except UnidentifiedImageError:
        raise DataError("not an image that can be read") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as reason:
        raise DataError(f"too many pixels: {reason}") from None
    except Exception as reason:  # Pillow's readers raise many kinds on a broken file
        raise DataError(f"broken: {reason}") from None
    return np.asarray(image, np.uint8).reshape(size, size, channels)


def _looks_like_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit and 32-bit grey brought to 8 bits by value; Pillow's own conversion clips.

    Only 16-bit modes say how far they reach; for the others the largest value tells.
    """
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.nan_to_num(np.asarray(image, np.float64))
    largest = values.max(initial=0.0)
    top = 65535.0 if image.mode.startswith("I;16") or largest > 255 else 255.0
    if image.mode == "F" and largest <= 1:
        top = 1.0
    return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8))


def _flatten(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image
    with_alpha = image.convert("RGBA")
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, with_alpha)

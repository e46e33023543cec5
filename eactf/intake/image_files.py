"""This module opens image files with care; those that cannot be used it refuses.

Pillow is handed only files that begin as one of the kinds in `image_kinds` does, so that it never
calls another program for one (it does so for PostScript), and nothing of Pillow's own settings
changes for the rest of the program.
"""

from __future__ import annotations

import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, ImageFile, TiffImagePlugin

from eactf.foreign import reason_of
from eactf.intake.bad_images import bad_image
from eactf.intake.codestreams import codestream_size
from eactf.intake.image_kinds import IMAGE_SUFFIXES, PREFIX, ImageKind, Reader, kind_of
from eactf.intake.listing import BadImage
from eactf.packed.identity import file_digest

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "FileImages",
    "open_image",
    "quiet_pillow",
    "strictly",
]

MAX_PIXELS = 1024**3 // 4 // 3
"""Images of more pixels are refused before they are decoded: Pillow's own number, 89 million."""

_SHORTER = "it has fewer bytes than its header says"


@dataclass(frozen=True)
class FileImages:
    """The image files `names` under `root`; an absolute name stands for itself."""

    root: Path
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def path(self, row: int) -> Path:
        """Where the image lies."""
        return self.root / str(self.names[row])

    def open(self, row: int) -> Image.Image:
        return open_image(self.path(row))

    def bytes_on_disk(self, row: int) -> int:
        try:
            return self.path(row).stat().st_size
        except (OSError, ValueError):
            return 0

    def digest(self, row: int) -> int:
        try:
            with self.path(row).open("rb") as file:
                return file_digest(file)
        except OSError as error:
            raise BadImage("cannot be opened", error.strerror or reason_of(error)) from None


def open_image(path: Path) -> ImageFile.ImageFile:
    """The image of a file, its header read and its pixels not yet; to be closed by the caller.

    Raises `BadImage`; the file is closed then.
    """
    prefix = _first_bytes(path)
    reader = _readable(kind_of(prefix, path.name))
    with strictly():
        try:
            # The readers themselves and not `Image.open`: that one warns of large images by a
            # setting of the whole program, which threads cannot set each for itself.
            image = reader(str(path))
        except Exception as error:  # the readers raise many kinds on a broken file
            cut = _promises_more(path, prefix)
            raise BadImage("cut short", _SHORTER) if cut else bad_image(error) from None
    for width, height in (image.size, _tile(image), codestream_size(image)):
        if width * height > _most_pixels():
            image.close()
            raise BadImage("too many pixels", f"{width:,} x {height:,}, at most {_most_pixels():,}")
    return image


def _readable(kind: ImageKind | None) -> Reader:
    if kind is None:
        raise BadImage("not an image", "the file begins as none of the known formats does")
    if kind.reader is None:
        raise BadImage("unread kind", f"{kind.name}; convert it to PNG or JPEG")
    return kind.reader


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Keep what Pillow warns of in a file from the screen; for the main thread alone.

    The verdict on each image is told by those who decode it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@contextmanager
def strictly() -> Iterator[None]:
    """Have Pillow refuse images that were cut short, whatever the program told it before.

    Its setting is one for all threads; the last to leave puts it back.
    """
    global _inside, _lenient
    with _lock:
        if _inside == 0:
            _lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = _lenient


_lock = threading.Lock()
_inside = 0
_lenient = False


def _tile(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Width and height of a TIFF's tiles, 0 where there are none.

    They may be larger than the image, and are decoded whole.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 0, 0
    width, height = (image.tag_v2.get(tag, 0) for tag in (322, 323))
    return (width, height) if isinstance(width, int) and isinstance(height, int) else (0, 0)


def _most_pixels() -> int:
    own = Image.MAX_IMAGE_PIXELS
    return MAX_PIXELS if own is None else min(MAX_PIXELS, own)


def _first_bytes(path: Path) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BadImage("not a file", _kind(found.st_mode))
        if found.st_size == 0:
            raise BadImage("empty file")
        with path.open("rb") as file:
            return file.read(PREFIX)
    except FileNotFoundError:
        raise BadImage(
            "missing", "a link that leads nowhere" if path.is_symlink() else ""
        ) from None
    except OSError as error:
        raise BadImage("cannot be opened", error.strerror or reason_of(error)) from None
    except ValueError as error:  # a NUL byte in the name
        raise BadImage("cannot be opened", reason_of(error)) from None


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"


def _promises_more(path: Path, prefix: bytes) -> bool:
    """Whether the file ends before its own header says, where Pillow's error does not tell."""
    try:
        size = path.stat().st_size
        return _promised(path, prefix) > size
    except OSError:
        return False


def _promised(path: Path, prefix: bytes) -> int:
    """The least size of the file by its header, 0 where that cannot be told easily."""
    if prefix.startswith(b"RIFF"):
        return int.from_bytes(prefix[4:8], "little") + 8 if len(prefix) >= 12 else 12
    if prefix.startswith((b"II*\x00", b"MM\x00*")):
        order: Literal["little", "big"] = "little" if prefix.startswith(b"II") else "big"
        directory = int.from_bytes(prefix[4:8], order)
        with path.open("rb") as file:
            file.seek(directory)
            entries = int.from_bytes(file.read(2), order)
        return directory + 2 + 12 * entries
    return 0

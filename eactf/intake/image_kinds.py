"""This module lists the kinds of image files: first bytes, suffixes, and Pillow's reader if any.

A kind is told by a file's first bytes, whatever the file is called. Only kinds whose decoders are
Pillow's own, and bounded by the size in the header, have a reader: PostScript would call another
program, icons and Photoshop files hold several images, of which none is meant more than another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PcxImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    SgiImagePlugin,
    SunImagePlugin,
    TgaImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "PREFIX",
    "READABLE_SUFFIXES",
    "ImageKind",
    "Reader",
    "is_unread_name",
    "kind_of",
    "suffix_formats",
]

Reader: TypeAlias = Callable[[Any], ImageFile.ImageFile]

PREFIX = 64
"""How many bytes tell a kind."""


@dataclass(frozen=True)
class ImageKind:
    """A kind of image files.

    `begins` says whether a file that begins with these bytes is of the kind; `suffixes` are what
    such files are called; `formats` are Pillow's names of it. `reader` is None where the kind is
    known and not read.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    formats: tuple[str, ...] = ()
    reader: Reader | None = None


def _by_name_alone(prefix: bytes) -> bool:
    """Never, for kinds whose first bytes say nothing, or say what may be something else."""
    return False


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda prefix: prefix.startswith(magics)


def _webp(prefix: bytes) -> bool:
    return prefix.startswith(b"RIFF") and prefix[8:12] in (b"WEBP", b"")


_BITMAP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def _bmp(prefix: bytes) -> bool:
    """`BM` alone may be text; the length of the header that follows tells."""
    header = int.from_bytes(prefix[14:18], "little")
    return prefix.startswith(b"BM") and (len(prefix) < 18 or header in _BITMAP_HEADERS)


def _portable(prefix: bytes) -> bool:
    """`P5`, then the size in digits, with comments between."""
    return re.match(rb"P[1-6f]\s+(#[^\n]*(\n\s*|$))*(\d|$)", prefix) is not None


def _pcx(prefix: bytes) -> bool:
    version, encoding, bits = (*prefix[1:4], 0, 0, 0)[:3]
    plain = encoding == 1 and bits in (1, 2, 4, 8)
    return prefix.startswith(b"\x0a") and version in (0, 2, 3, 5) and plain


def _sgi(prefix: bytes) -> bool:
    packed, width = (*prefix[2:4], 9, 9)[:2]
    return prefix.startswith(b"\x01\xda") and packed in (0, 1) and width in (1, 2)


def _brands(prefix: bytes) -> list[bytes]:
    """The brands that an ISO media file gives itself, the foremost first."""
    if prefix[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(prefix[:4], "big"), len(prefix))
    return [prefix[8:12], *(prefix[place : place + 4] for place in range(16, end, 4))]


def _avif(prefix: bytes) -> bool:
    return any(brand in (b"avif", b"avis") for brand in _brands(prefix))


def _heic(prefix: bytes) -> bool:
    brands = _brands(prefix)[:1]
    return bool(brands) and brands[0][:3] in (b"hei", b"hev", b"mif", b"msf")


def _avif_reader() -> Reader | None:
    """Pillow's reader of AVIF, which it has since 11.3 where it was built with it; else None."""
    if not features.check("avif") if "avif" in features.modules else True:
        return None
    from PIL import AvifImagePlugin

    return AvifImagePlugin.AvifImageFile


_JPEG_2000 = (b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  \r\n\x87\n")

_KINDS: tuple[ImageKind, ...] = (
    ImageKind(
        "PNG",
        (".png", ".apng"),
        _starts(b"\x89PNG\r\n\x1a\n"),
        ("PNG",),
        PngImagePlugin.PngImageFile,
    ),
    ImageKind(
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        _starts(b"\xff\xd8\xff"),
        ("JPEG", "MPO"),
        JpegImagePlugin.jpeg_factory,
    ),
    ImageKind(
        "GIF", (".gif",), _starts(b"GIF87a", b"GIF89a"), ("GIF",), GifImagePlugin.GifImageFile
    ),
    ImageKind("BMP", (".bmp", ".dib"), _bmp, ("BMP", "DIB"), BmpImagePlugin.BmpImageFile),
    ImageKind(
        "TIFF",
        (".tif", ".tiff"),
        _starts(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
        ("TIFF",),
        TiffImagePlugin.TiffImageFile,
    ),
    ImageKind("WebP", (".webp",), _webp, ("WEBP",), WebPImagePlugin.WebPImageFile),
    ImageKind(
        "portable map",
        (".pgm", ".ppm", ".pbm", ".pnm", ".pfm"),
        _portable,
        ("PPM",),
        PpmImagePlugin.PpmImageFile,
    ),
    ImageKind("AVIF", (".avif", ".avifs"), _avif, ("AVIF",), _avif_reader()),
    ImageKind(
        "JPEG 2000",
        (".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
        _starts(*_JPEG_2000),
        ("JPEG2000",),
        Jpeg2KImagePlugin.Jpeg2KImageFile if features.check("jpg_2000") else None,
    ),
    ImageKind("PCX", (".pcx",), _pcx, ("PCX",), PcxImagePlugin.PcxImageFile),
    ImageKind("SGI", (".sgi", ".rgb", ".rgba", ".bw"), _sgi, ("SGI",), SgiImagePlugin.SgiImageFile),
    ImageKind(
        "Sun raster", (".ras",), _starts(b"\x59\xa6\x6a\x95"), ("SUN",), SunImagePlugin.SunImageFile
    ),
    ImageKind("HEIC", (".heic", ".heif", ".hif"), _heic),
    ImageKind("JPEG XL", (".jxl",), _starts(b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")),
    ImageKind("Photoshop", (".psd", ".psb"), _starts(b"8BPS")),
    ImageKind("PostScript", (".eps", ".ps"), _by_name_alone),
    ImageKind("OpenEXR", (".exr",), _starts(b"\x76\x2f\x31\x01")),
    ImageKind("icon", (".ico", ".cur"), _by_name_alone),
    ImageKind("DDS", (".dds",), _starts(b"DDS ")),
    ImageKind("QOI", (".qoi",), _starts(b"qoif")),
    ImageKind("SVG", (".svg",), _by_name_alone),
    ImageKind("DICOM", (".dcm", ".dicom"), _by_name_alone),
)

_TARGA = ImageKind("Targa", (".tga",), _by_name_alone, ("TGA",), TgaImagePlugin.TgaImageFile)
"""A Targa file has no bytes of its own to begin with: its suffix has to tell."""

_RAW = ImageKind(
    "camera's raw", (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2"),
    _by_name_alone,
)  # fmt: skip
"""Most begin as TIFF does, and what could be read of them is a small preview."""

_ALL = (*_KINDS, _TARGA, _RAW)

READABLE_SUFFIXES = frozenset(s for kind in _ALL if kind.reader for s in kind.suffixes)

IMAGE_SUFFIXES = frozenset(suffix for kind in _ALL for suffix in kind.suffixes)
"""What image files are called, those of kinds that are not read among them."""


def kind_of(prefix: bytes, name: str = "") -> ImageKind | None:
    """The kind of a file by its first `PREFIX` bytes; None where they are those of no image.

    Its name tells only where the bytes cannot: Targa files, cameras' raw files, and files that have
    the name of a kind that is not read and the bytes of none.
    """
    suffix = os.path.splitext(name)[1].lower()
    if suffix in _RAW.suffixes:
        return _RAW
    found = next((kind for kind in _KINDS if kind.begins(prefix)), None)
    if found is not None:
        return found
    if suffix in _TARGA.suffixes:
        return _TARGA
    return next((kind for kind in _KINDS if kind.reader is None and suffix in kind.suffixes), None)


def is_unread_name(name: str) -> bool:
    """Whether a file is called as images of kinds are that are not read."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES - READABLE_SUFFIXES


def suffix_formats() -> dict[str, tuple[str, ...]]:
    """Pillow's names of the formats that each suffix promises."""
    return {suffix: kind.formats for kind in _ALL if kind.formats for suffix in kind.suffixes}

"""Images of every odd kind, made in code, each with the verdict or the pixels it must get.

`SPECIMENS` maps a file's name to how it is made and what is expected: one of `REASONS`, or the
upright pixels, `(height, width)` where grey and `(height, width, 3)` where not.
"""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
from PIL import Image

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
"""3 high, 4 wide, so that no two turns of it look alike."""

COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)

RED = np.zeros((8, 8, 3), np.uint8) + np.array([255, 0, 0], np.uint8)


def saved(image, form, **settings):
    buffer = io.BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


def grey():
    return Image.fromarray(GREY)


def colour():
    return Image.fromarray(COLOUR)


def noise(mode="RGB"):
    """An image whose file is long enough to be cut in the middle of its pixels."""
    values = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def half(content):
    return content[: len(content) // 2]


def png(width, height, depth, kind, rows, *chunks):
    """A PNG by hand: Pillow writes neither 16-bit colour nor a file without pixels."""

    def chunk(name, content):
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def jpeg_header(width, height):
    """A JPEG file that is nothing but the announcement of an image."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda\0\2"


def with_exif(image, form, orientation, **settings):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, form, exif=exif, **settings)


def palette(transparent=None):
    image = Image.fromarray(np.array([[0, 1, 2, 1], [2, 2, 0, 0], [1, 0, 2, 2]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    more = {} if transparent is None else {"transparency": transparent}
    return saved(image, "PNG", **more)


PALETTE_PIXELS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)[
    [[0, 1, 2, 1], [2, 2, 0, 0], [1, 0, 2, 2]]
]
GREEN_GONE = PALETTE_PIXELS * (PALETTE_PIXELS[..., 1:2] == 0)


def with_alpha(image, alpha):
    image.putalpha(Image.fromarray(np.full(GREY.shape, alpha, np.uint8)))
    return image


def frames(form, **settings):
    later = [Image.new("RGB", (4, 3), (9, 9, 9)), Image.new("RGB", (4, 3), (99, 9, 9))]
    return saved(colour(), form, save_all=True, append_images=later, **settings)


def tiff(values, **settings):
    return saved(Image.fromarray(values), "TIFF", **settings)


def big_endian_tiff():
    """16-bit grey, most significant byte first: a header, its entries, the pixels."""
    pixels = (GREY.astype(">u2") * 257).tobytes()
    entries = [(256, 4), (257, 3), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 3)]
    entries.append((279, len(pixels)))
    body = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    start = struct.pack(">2sHI", b"MM", 42, 8 + len(pixels))
    return start + pixels + struct.pack(">H", len(entries)) + body + b"\0\0\0\0"


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def resized_codestream(content):
    """A JPEG 2000 file whose codestream alone claims to be 60,000 pixels wide and high."""
    place = content.index(b"\xff\x4f\xff\x51") + 8
    return content[:place] + struct.pack(">II", 60_000, 60_000) + content[place + 8 :]


def damaged_exif():
    turned = with_exif(Image.new("L", (16, 8), 128), "JPEG", 6)
    assert turned.count(b"MM\x00*") == 1
    return turned.replace(b"MM\x00*", b"MM\xff\xff")


SPECIMENS = {
    # Files that are no images, and files that are less than they say.
    "empty.png": (b"", "empty file"),
    "words.jpg": (b"not an image at all, just words", "not an image"),
    "postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    "page.jpg": (b"%PDF-1.7\n1 0 obj\n", "not an image"),
    "sound.webp": (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(24), "not an image"),
    "cut_signature.png": (b"\x89PNG\r\n", "not an image"),
    "cut_header.png": (saved(noise(), "PNG")[:24], "cut short"),
    "cut_palette.png": (saved(noise("P"), "PNG")[:300], "cut short"),
    "cut.png": (half(saved(noise(), "PNG")), "cut short"),
    "cut_header.jpg": (saved(noise(), "JPEG")[:160], "cut short"),
    "cut.jpg": (saved(noise(), "JPEG")[:-300], "cut short"),
    "cut_progressive.jpg": (half(saved(noise(), "JPEG", progressive=True)), "cut short"),
    "cut.gif": (half(saved(noise(), "GIF")), "cut short"),
    "cut_header.gif": (saved(noise(), "GIF")[:300], "cut short"),
    "cut.bmp": (half(saved(noise(), "BMP")), "cut short"),
    "cut.tif": (half(saved(noise(), "TIFF")), "cut short"),
    "cut_lzw.tif": (half(saved(noise(), "TIFF", compression="tiff_lzw")), "cut short"),
    "cut.webp": (half(saved(noise(), "WEBP")), "cut short"),
    "flipped.png": (flipped(saved(noise(), "PNG"), 60), "broken"),
    "flipped.webp": (flipped(saved(noise(), "WEBP", lossless=True), 20), "broken"),
    "nothing.png": (png(0, 3, 8, 0, []), "no pixels"),
    "nothing.gif": (b"GIF89a\0\0\0\0\0\0\0,\0\0\0\0\0\0\0\0\0\2\0\0;", "no pixels"),
    # Claims that the pixels, if there are any, never have to be asked about.
    "bomb.png": (png(100_000, 100_000, 1, 0, []), "too many pixels"),
    "bomb.jpg": (jpeg_header(65_535, 65_535), "too many pixels"),
    "bomb.gif": (b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\0\0;", "too many pixels"),
    "bomb.bmp": (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 60_000, 60_000, 1, 24, *[0] * 6),
        "too many pixels",
    ),
    # Good images of odd kinds.
    "grey.png": (saved(grey(), "PNG"), GREY),
    "colour.png": (saved(colour(), "PNG"), COLOUR),
    "colour.bmp": (saved(colour(), "BMP"), COLOUR),
    "really_png.jpg": (saved(colour(), "PNG"), COLOUR),
    "bits.png": (saved(Image.fromarray(GREY > 100), "PNG"), np.where(GREY > 100, 255, 0)),
    "grey_alpha.png": (saved(with_alpha(grey(), 0), "PNG"), GREY * 0),
    "alpha.png": (saved(with_alpha(colour(), 255), "PNG"), COLOUR),
    "clear.webp": (saved(with_alpha(colour(), 0), "WEBP", lossless=True), COLOUR * 0),
    "half_clear.png": (
        saved(with_alpha(Image.new("RGB", (4, 3), (255, 0, 100)), 51), "PNG"),
        np.zeros((3, 4, 3), np.uint8) + np.array([51, 0, 20], np.uint8),
    ),
    "key_colour.png": (
        saved(colour(), "PNG", transparency=(0, 255, 0)),
        COLOUR * (GREY > 0)[..., None],
    ),
    "key_grey.png": (saved(grey(), "PNG", transparency=220), np.where(GREY == 220, 0, GREY)),
    "palette.png": (palette(), PALETTE_PIXELS),
    "palette_clear.png": (palette(transparent=1), GREEN_GONE),
    "palette_clear_bytes.png": (palette(transparent=b"\xff\x00\xff"), GREEN_GONE),
    "sixteen.png": (saved(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"), GREY),
    "sixteen_dark.png": (saved(Image.fromarray(GREY.astype(np.uint16)), "PNG"), GREY * 0),
    "sixteen_key.png": (
        png(2, 1, 16, 0, [b"\xff\xff\x80\x01"], (b"tRNS", b"\xff\xff")),
        np.array([[0, 128]], np.uint8),
    ),
    "sixteen_colour.png": (
        png(2, 1, 16, 2, [b"\xff\xff\x80\x01\x00\x02" + b"\x00\xff\x01\x00\x7f\xff"]),
        np.array([[[255, 128, 0], [0, 1, 127]]], np.uint8),
    ),
    "sixteen.tif": (tiff(GREY.astype(np.uint16) * 257), GREY),
    "sixteen_big_endian.tif": (big_endian_tiff(), GREY),
    "whole_small.tif": (tiff(GREY.astype(np.int32)), GREY),
    "whole.tif": (tiff(GREY.astype(np.int32) * 257), GREY),
    "float.tif": (tiff(GREY.astype(np.float32) / 255), GREY),
    "float_255.tif": (tiff(GREY.astype(np.float32)), GREY),
    "float_holes.tif": (
        tiff(np.array([[np.nan, 1.0, 0.2, np.inf]], np.float32)),
        np.array([[0, 255, 51, 0]], np.uint8),
    ),
    "cmyk.tif": (saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), RED),
    "cmyk.jpg": (saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100), RED),
    "grey.jpg": (saved(Image.new("L", (8, 8), 128), "JPEG"), np.full((8, 8), 128)),
    "pages.tif": (frames("TIFF"), COLOUR),
    "animated.gif": (
        saved(
            Image.fromarray(PALETTE_PIXELS),
            "GIF",
            save_all=True,
            append_images=[Image.new("RGB", (4, 3))],
        ),
        PALETTE_PIXELS,
    ),
    "animated.png": (frames("PNG"), COLOUR),
    "animated.webp": (frames("WEBP", lossless=True), COLOUR),
    "turned.png": (with_exif(grey(), "PNG", 6), np.rot90(GREY, -1)),
    "turned.tif": (with_exif(colour(), "TIFF", 8), np.rot90(COLOUR)),
    "turned_lzw.tif": (
        with_exif(colour(), "TIFF", 6, compression="tiff_lzw"),
        np.rot90(COLOUR, -1),
    ),
    "turned.webp": (with_exif(colour(), "WEBP", 3, lossless=True), np.rot90(COLOUR, 2)),
    "damaged_exif.jpg": (damaged_exif(), np.full((8, 16), 128)),
    # Kinds that cameras and old data sets have, by whatever name.
    "grey.pgm": (saved(grey(), "PPM"), GREY),
    "COLOUR.PPM": (saved(colour(), "PPM"), COLOUR),
    "bits.pbm": (saved(Image.fromarray(GREY > 100), "PPM"), np.where(GREY > 100, 255, 0)),
    "plain.pgm": (
        b"P2\n# drawn by hand\n4 3\n255\n" + " ".join(map(str, GREY.ravel())).encode(),
        GREY,
    ),
    "sixteen.pgm": (b"P5 4 3 65535\n" + (GREY.astype(">u2") * 257).tobytes(), GREY),
    "sixteen_dark.pgm": (b"P5 4 3 65535\n" + GREY.astype(">u2").tobytes(), GREY * 0),
    "ten_bits.pgm": (
        b"P5 2 1 1023\n" + np.array([0, 1023], ">u2").tobytes(),
        np.array([[0, 255]], np.uint8),
    ),
    "float.pfm": (
        b"Pf\n2 1\n-1.0\n" + np.array([0.2, 1], "<f4").tobytes(),
        np.array([[51, 255]], np.uint8),
    ),
    "really_pgm.jfif": (saved(grey(), "PPM"), GREY),
    "grey.JPE": (saved(Image.new("L", (8, 8), 128), "JPEG"), np.full((8, 8), 128)),
    "colour.jp2": (saved(colour(), "JPEG2000", irreversible=False), COLOUR),
    "grey.j2k": (saved(grey(), "JPEG2000", irreversible=False, no_jp2=True), GREY),
    "colour.pcx": (saved(colour(), "PCX"), COLOUR),
    "colour.sgi": (saved(colour(), "SGI"), COLOUR),
    "grey.ras": (struct.pack(">8I", 0x59A66A95, 4, 3, 8, 12, 1, 0, 0) + GREY.tobytes(), GREY),
    "colour.tga": (saved(colour(), "TGA"), COLOUR),
    "no suffix": (saved(colour(), "PNG"), COLOUR),
    "cut.pgm": (half(saved(noise("L"), "PPM")), "cut short"),
    "cut_plain.pgm": (b"P2 4 3 255\n1 2 3", "cut short"),
    "cut_header.pgm": (b"P5 4", "cut short"),
    "cut.jp2": (half(saved(noise(), "JPEG2000")), "broken"),
    "words.pgm": (b"P5 is what this line begins with", "not an image"),
    "words.bmp": (b"BMWs and other cars, a list", "not an image"),
    "bomb.pgm": (b"P5 60000 60000 255\n", "too many pixels"),
    "bomb.j2k": (resized_codestream(saved(grey(), "JPEG2000", no_jp2=True)), "too many pixels"),
    "bomb.jp2": (resized_codestream(saved(grey(), "JPEG2000")), "too many pixels"),
    "bomb.tga": (bytes([0, 0, 2, *bytes(9), 255, 255, 255, 255, 24, 0]), "too many pixels"),
    "bomb.pcx": (
        bytes([10, 5, 1, 8])
        + struct.pack("<4H", 0, 0, 65_534, 65_534)
        + bytes(53)
        + b"\3"
        + bytes(62),
        "too many pixels",
    ),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "unread kind"),
    "phone.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "unread kind"),
    "raw.nef": (tiff(GREY), "unread kind"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unread kind"),
    "really_jpeg.heic": (saved(Image.new("L", (8, 8), 128), "JPEG"), np.full((8, 8), 128)),
}


def put_nothings(folder):
    """Names that no plain file stands behind, each with the reason expected."""
    (folder / "folder.png").mkdir()
    (folder / "dangling.png").symlink_to(folder / "gone.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    return {
        "gone.png": "missing",
        "dangling.png": "missing",
        "folder.png": "not a file",
        "pipe.png": "not a file",
        "loop.png": "cannot be opened",
        "n" * 300 + ".png": "cannot be opened",
        "nul\0.png": "cannot be opened",
    }

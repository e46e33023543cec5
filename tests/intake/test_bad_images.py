"""What is said of an image that cannot be used is about the file, in words for its owner."""

from __future__ import annotations

import errno
import struct
import zlib

import pytest
from image_zoo import GREY, SPECIMENS, png, tiff
from PIL import Image, PngImagePlugin

from eactf.intake.bad_images import REASONS, bad_image
from eactf.intake.decode import read_image
from eactf.intake.listing import BadImage

TOO_MUCH_TEXT = "more text is stored in it than is safe to read; save it again without the text"
NO_NUMBER = "something else stands where its header must have a number"
NO_VALUE = "something else stands where one of its pixels must have a value"
NO_SIZE = "its header gives it no width or no height"
SENSELESS = "its header has a value that makes no sense"


def chunk_of_text(length):
    return b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * length)


def with_texts(*texts):
    return png(4, 3, 8, 0, [row.tobytes() for row in GREY], *texts)


def byte_compression():
    """A TIFF whose compression is given as a byte, which Pillow looks up as a number."""
    content = tiff(GREY)
    place = content.index(struct.pack("<HHI", 259, 3, 1))
    return content[:place] + struct.pack("<HHI", 259, 1, 1) + content[place + 8 :]


def verdict(path):
    with pytest.raises(BadImage) as caught:
        read_image(path, size=4, channels=1)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "one_long_text.png",
            with_texts(chunk_of_text(PngImagePlugin.MAX_TEXT_CHUNK + 10)),
            ("broken", TOO_MUCH_TEXT),
        ),
        ("no_number.pgm", b"P5 4 3x 255\n" + bytes(12), ("broken", NO_NUMBER)),
        ("long_number.pgm", b"P5 4 333333333333 255\n" + bytes(12), ("broken", NO_NUMBER)),
        ("no_scale.pfm", b"Pf\n2 1\n-\n" + bytes(8), ("broken", NO_NUMBER)),
        ("no_value.pbm", b"P1 4 3\n0 1 2 1\n" + b"0 " * 8, ("broken", NO_VALUE)),
        ("byte.tif", byte_compression(), ("broken", SENSELESS)),
        ("header.gif", b"GIF89a\4\0", ("cut short", "it ends before its pixels begin")),
        (
            "cut.webp",
            SPECIMENS["cut.webp"][0],
            ("cut short", "it has fewer bytes than its header says"),
        ),
    ],
)
def test_damage_is_told_in_words_about_the_file(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert verdict(tmp_path / name) == expected


def test_a_tiff_without_a_size_has_no_pixels_or_is_broken(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0\0\0\0\0\0\0")
    # Pillow's older versions do not say what they miss.
    assert verdict(tmp_path / "a.tif") in (("no pixels", NO_SIZE), ("broken", SENSELESS))


def test_many_texts_that_are_too_long_together_are_too_much_text(tmp_path, monkeypatch):
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 100)
    (tmp_path / "a.png").write_bytes(with_texts(*[chunk_of_text(60)] * 2))
    assert verdict(tmp_path / "a.png") == ("broken", TOO_MUCH_TEXT)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError(), "broken"),
        (ValueError("pass load_truncated=True"), "broken"),
        (AssertionError(), "broken"),
        (KeyError(317), "broken"),
        (SyntaxError(TypeError("'>' not supported between instances")), "broken"),
        (OverflowError("Python int too large to convert to C int"), "broken"),
        (OSError(errno.EINVAL, "Invalid argument"), "broken"),
        (OSError(errno.EACCES, "Permission denied"), "cannot be opened"),
        (OSError("decoder error -2"), "broken"),
        (SyntaxError(IndexError("index out of range")), "cut short"),
        (Image.DecompressionBombError("Image size exceeds limit, could be an attack"), "too many"),
    ],
)
def test_no_failure_is_told_by_its_kind_or_in_pythons_words(error, reason):
    found = bad_image(error)
    assert found.reason.startswith(reason) and found.reason in REASONS
    assert found.detail and not speaks_of_code(found.detail)


def speaks_of_code(text):
    words = ("Error", "literal", "unpack", "range", "instances", "object", "int ", "limit", "317")
    return any(word in text for word in words)


HEADERS = ("colour.png", "grey.jpg", "animated.gif", "colour.bmp", "sixteen.tif", "float.pfm")
HEADERS += ("grey.pgm", "plain.pgm", "colour.pcx", "colour.sgi", "grey.ras", "colour.tga")


@pytest.mark.parametrize("name", HEADERS)
def test_whatever_byte_of_a_header_is_wrong_the_verdict_is_about_the_file(tmp_path, name):
    content = SPECIMENS[name][0]
    for place in range(min(64, len(content))):
        for value in (0, 255):
            damaged = content[:place] + bytes([value]) + content[place + 1 :]
            (tmp_path / name).write_bytes(damaged)
            try:
                read_image(tmp_path / name, size=4, channels=3)
            except BadImage as found:
                assert found.detail and not speaks_of_code(found.detail), (place, value)

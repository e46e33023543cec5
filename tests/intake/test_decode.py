"""Image files of every odd kind get exactly the pixels, or the verdict, that they must get."""

from __future__ import annotations

import gc
import os
import struct
import sys
import threading
import warnings

import numpy as np
import pytest
from image_zoo import COLOUR, GREY, SPECIMENS, half, noise, put_nothings, saved, with_exif
from PIL import Image, ImageFile, features

from eactf.errors import DataError
from eactf.intake.bad_images import REASONS
from eactf.intake.decode import (
    MAX_PIXELS,
    FileImages,
    as_array,
    is_grey,
    orientation,
    quiet_pillow,
    read_image,
    upright,
    upright_size,
)
from eactf.intake.listing import BadImage

BAD = {name: expected for name, (_, expected) in SPECIMENS.items() if isinstance(expected, str)}
GOOD = [name for name in SPECIMENS if name not in BAD]


def put(folder, name):
    (folder / name).write_bytes(SPECIMENS[name][0])
    return FileImages(folder, [name])


def verdict(images):
    with pytest.raises(BadImage) as caught, images.open(0) as image:
        upright(image)
    return caught.value


def test_the_zoo_is_as_large_as_promised():
    assert len(SPECIMENS) >= 60
    assert {expected for _, expected in SPECIMENS.values() if isinstance(expected, str)} < set(
        REASONS
    )


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_an_avif_image_is_read(tmp_path):
    Image.new("RGB", (40, 20), (200, 30, 30)).save(tmp_path / "a.AVIF", "AVIF", quality=95)
    with FileImages(tmp_path, ["a.AVIF"]).open(0) as image:
        found = np.asarray(upright(image), int)
    assert found.shape == (20, 40, 3) and np.abs(found - [200, 30, 30]).max() < 8


@pytest.mark.parametrize("name", BAD)
def test_a_bad_image_gets_its_verdict(tmp_path, name):
    found = verdict(put(tmp_path, name))
    assert (found.reason, found.exit_code) == (BAD[name], DataError.exit_code)
    assert "\n" not in found.detail and len(found.detail) <= 100


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_image_gets_exactly_its_pixels(tmp_path, name):
    with put(tmp_path, name).open(0) as image:
        size, grey = upright_size(image), is_grey(image)
        found = upright(image)
    expected = SPECIMENS[name][1]
    assert found.mode == ("L" if expected.ndim == 2 else "RGB")
    np.testing.assert_array_equal(np.asarray(found), expected)
    assert size == found.size
    assert grey == (expected.ndim == 2)


@pytest.mark.skipif(os.name == "nt", reason="made of links and pipes")
def test_names_without_a_file_behind_them_get_their_verdicts(tmp_path):
    for name, reason in put_nothings(tmp_path).items():
        assert verdict(FileImages(tmp_path, [name])).reason == reason, name


@pytest.mark.parametrize("number", range(1, 9))
def test_every_exif_orientation_is_turned_upright(tmp_path, number):
    """The camera stored what turning by `number` makes upright again."""
    stored = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR),
        7: COLOUR[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(COLOUR, -1),
    }[number]
    content = with_exif(Image.fromarray(np.ascontiguousarray(stored)), "PNG", number)
    (tmp_path / "turned.png").write_bytes(content)
    with FileImages(tmp_path, ["turned.png"]).open(0) as image:
        assert orientation(image) == number
        np.testing.assert_array_equal(np.asarray(upright(image)), COLOUR)


def test_a_bomb_is_refused_by_its_header_without_a_warning(tmp_path):
    images = put(tmp_path, "bomb.png")
    with warnings.catch_warnings(record=True) as told, pytest.raises(BadImage, match="too many"):
        warnings.simplefilter("always")
        images.open(0)
    assert not told


def test_a_small_image_in_a_huge_tile_is_refused_by_its_header(tmp_path):
    tags = {256: 10, 257: 10, 258: 8, 259: 5, 262: 1, 277: 1, 322: 40_000, 323: 40_000}
    tags |= {324: 8, 325: 100}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    content = b"II*\0" + struct.pack("<I", 108) + bytes(100) + struct.pack("<H", len(tags))
    (tmp_path / "a.tif").write_bytes(content + directory + bytes(4))
    with pytest.raises(BadImage, match="40,000 x 40,000") as refused:
        FileImages(tmp_path, ["a.tif"]).open(0)
    assert refused.value.reason == "too many pixels"


def test_a_frame_far_larger_than_its_image_is_too_many_pixels(tmp_path):
    content = bytearray(saved(noise("P"), "GIF"))
    size = content.index(b",") + 5
    content[size : size + 4] = struct.pack("<HH", 65_535, 65_535)
    (tmp_path / "a.gif").write_bytes(content)
    assert verdict(FileImages(tmp_path, ["a.gif"])).reason == "too many pixels"


def test_the_limit_is_on_the_pixels_not_on_the_file(tmp_path, monkeypatch):
    Image.new("1", (1000, 1000)).save(tmp_path / "large.png")
    images = FileImages(tmp_path, ["large.png"])
    monkeypatch.setattr("eactf.intake.image_files.MAX_PIXELS", 1_000_000)
    images.open(0).close()
    monkeypatch.setattr("eactf.intake.image_files.MAX_PIXELS", 999_999)
    with pytest.raises(BadImage, match="1,000 x 1,000, at most 999,999"):
        images.open(0)


def test_pillows_settings_are_left_as_the_program_has_them(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert verdict(put(tmp_path, "bomb.png")).reason == "too many pixels"
    assert verdict(put(tmp_path, "cut.jpg")).reason == "cut short"
    assert Image.MAX_IMAGE_PIXELS is None
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert MAX_PIXELS == 89_478_485


def test_cut_images_are_refused_in_every_thread_and_the_setting_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    (tmp_path / "cut.png").write_bytes(half(saved(noise(), "PNG")))
    reasons = []

    def decode():
        for _ in range(20):
            reasons.append(verdict(FileImages(tmp_path, ["cut.png"])).reason)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reasons == ["cut short"] * 80
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_what_pillow_warns_of_is_kept_from_the_screen_and_other_warnings_are_not():
    with pytest.warns(UserWarning, match="ours"), quiet_pillow():
        warnings.warn_explicit("Pillow's", UserWarning, "Image.py", 1, module="PIL.Image")
        warnings.warn("ours", stacklevel=1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files by /proc")
def test_no_verdict_leaves_a_file_open(tmp_path):
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for name in SPECIMENS:
        try:
            with put(tmp_path, name).open(0) as image:
                upright(image)
        except BadImage:
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_files_are_found_under_their_root_and_by_absolute_names(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(saved(Image.fromarray(GREY), "PNG"))
    images = FileImages(tmp_path, np.array(["in/a.png", str(tmp_path / "in" / "a.png"), "b.png"]))
    assert len(images) == 3
    for row in (0, 1):
        with images.open(row) as image:
            np.testing.assert_array_equal(np.asarray(image), GREY)
        assert images.bytes_on_disk(row) == (tmp_path / "in" / "a.png").stat().st_size
    assert images.bytes_on_disk(2) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_an_array_has_the_shape_asked_for(channels):
    image = Image.fromarray(COLOUR)
    same = as_array(image, height=3, width=4, channels=channels)
    np.testing.assert_array_equal(
        same, COLOUR if channels == 3 else np.asarray(image.convert("L"))[..., None]
    )
    assert as_array(image, height=5, width=7, channels=channels).shape == (5, 7, channels)


def test_grey_repeats_itself_where_colour_is_asked_for():
    found = as_array(Image.fromarray(GREY), height=3, width=4, channels=3)
    np.testing.assert_array_equal(found, np.repeat(GREY[..., None], 3, axis=2))


def test_reading_a_file_is_those_steps_one_after_the_other(tmp_path):
    put(tmp_path, "turned.png")
    found = read_image(tmp_path / "turned.png", size=4, channels=1)
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(GREY, -1)))
    np.testing.assert_array_equal(found, as_array(turned, height=4, width=4, channels=1))

"""Every image is looked at once: bad ones are named, the others' facts are noted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eactf.intake.decode import FileImages
from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.scan import scan


@pytest.fixture
def pixels():
    """A colour image of noise, `(20, 30, 3)` uint8."""
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


@pytest.fixture
def look(tmp_path):
    """Scans the files that were written to `tmp_path`, in the order of their names."""

    def run(**settings):
        names = sorted(file.name for file in tmp_path.iterdir())
        return names, scan(list_images(FileImages(tmp_path, names), names), **settings)

    return run


def list_images(images, names=None):
    count = len(images)
    return Listing(
        source=Path("data"),
        kind="folder",
        class_names=("a", "b"),
        names=np.array(names or [f"images[{row}]" for row in range(count)]),
        splits=np.zeros(count, np.uint8),
        given=np.zeros(count, np.int64),
        images=images,
        ids=np.arange(count),
    )


def test_an_image_turned_by_exif_has_the_size_and_digest_of_the_upright_one(tmp_path, pixels, look):
    Image.fromarray(pixels).save(tmp_path / "1.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "2.png", exif=exif)
    _, found = look()
    assert found.width.tolist() == [30, 30] and found.height.tolist() == [20, 20]
    assert found.turned.tolist() == [False, True]
    np.testing.assert_array_equal(found.digest[0], found.digest[1])


def test_a_grey_image_is_the_same_picture_in_one_channel_and_in_three(tmp_path, pixels, look):
    grey = Image.fromarray(pixels[..., 0])
    grey.save(tmp_path / "1.png")
    grey.convert("RGB").save(tmp_path / "2.bmp")
    Image.fromarray(pixels).save(tmp_path / "3.webp", lossless=True)
    _, found = look()
    assert found.grey.tolist() == [True, True, False]
    assert found.mode.tolist() == ["L", "RGB", "RGB"]
    assert found.format.tolist() == ["PNG", "BMP", "WEBP"]
    np.testing.assert_array_equal(found.digest[0], found.digest[1])
    assert not np.array_equal(found.digest[0], found.digest[2])


def test_one_pixel_or_another_shape_gives_another_digest():
    images = np.zeros((2, 4, 6), np.uint8)
    images[1, 0, 0] = 1
    digests = [*scan(list_images(ArrayImages(images))).digest]
    digests += [*scan(list_images(ArrayImages(images.reshape(2, 6, 4)))).digest]
    assert len({digest.tobytes() for digest in digests}) == 4


def test_bad_images_are_listed_in_order_and_leave_their_rows_zero(tmp_path, pixels, look):
    Image.fromarray(pixels).save(tmp_path / "2.png")
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "3.png").write_bytes((tmp_path / "2.png").read_bytes()[:300])
    (tmp_path / "4.jpg").write_text("no image")
    _, found = look()
    assert found.good.tolist() == [False, True, False, False]
    assert [(row.row, row.name, row.reason) for row in found.bad] == [
        (0, "1.png", "empty file"),
        (2, "3.png", "cut short"),
        (3, "4.jpg", "not an image"),
    ]
    assert not found.width[~found.good].any() and not found.thumbnail[~found.good].any()


def test_an_image_of_one_colour_is_flat_even_if_its_channels_differ():
    images = np.zeros((3, 5, 5, 3), np.uint8)
    images[0] = (10, 200, 30)
    images[1] = 7
    images[2, 2, 2] = (0, 0, 1)
    found = scan(list_images(ArrayImages(images)))
    assert found.flat.tolist() == [True, True, False]
    assert found.low.tolist() == [10, 7, 0] and found.high.tolist() == [200, 7, 1]


def test_an_animation_has_its_frames_counted_and_the_first_looked_at(tmp_path, pixels, look):
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 255, 90)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    _, found = look()
    assert found.frames.tolist() == [3]
    assert found.mean.tolist() == [0]


def test_mean_and_deviation_are_of_the_thumbnail():
    images = np.zeros((1, 48, 48), np.uint8)
    images[:, :, 24:] = 255
    found = scan(list_images(ArrayImages(images)))
    assert found.thumbnail.shape == (1, 24, 24)
    assert found.mean[0] == pytest.approx(found.thumbnail.mean() / 255)
    assert found.deviation[0] == pytest.approx(found.thumbnail.std() / 255)


def test_the_scan_is_the_same_with_any_number_of_threads():
    images = np.random.default_rng(1).integers(0, 256, (70, 9, 9), np.uint8)
    one, three = (scan(list_images(ArrayImages(images)), workers=count) for count in (1, 3))
    np.testing.assert_array_equal(one.digest, three.digest)
    np.testing.assert_array_equal(one.thumbnail, three.thumbnail)


def test_progress_ends_at_all_images_and_may_stop_the_scan():
    images, calls = np.zeros((100, 4, 4), np.uint8), []
    scan(list_images(ArrayImages(images)), progress=lambda *call: calls.append(call))
    assert calls[-1] == (100, 100) and calls == sorted(calls)

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(list_images(ArrayImages(images)), progress=interrupt)


def test_a_listing_without_images_has_an_empty_scan():
    assert scan(list_images(ArrayImages(np.zeros((0, 4, 4), np.uint8)))).bad == ()


@pytest.fixture
def reduced(monkeypatch):
    """Has JPEG files of more than 100 pixels decoded at a fraction of their size."""
    monkeypatch.setattr("eactf.intake.scan._LARGE", 100)
    monkeypatch.setattr("eactf.intake.scan._ENOUGH", 16)


def smooth(width, height):
    values = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def test_a_large_jpeg_is_looked_at_reduced_and_has_its_whole_upright_size(tmp_path, look, reduced):
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth(160, 96).save(tmp_path / "a.jpg", exif=exif)
    _, found = look()
    assert (found.width[0], found.height[0], found.turned[0]) == (96, 160, True)
    turned = smooth(160, 96).transpose(Image.Transpose.ROTATE_270)
    thumbnail = np.asarray(turned.resize((24, 24), Image.Resampling.BILINEAR).convert("L"), int)
    assert np.abs(found.thumbnail[0] - thumbnail).mean() < 6


def test_copies_of_a_large_jpeg_are_equal_whatever_its_file_holds_besides(tmp_path, look, reduced):
    smooth(160, 96).save(tmp_path / "a.jpg")
    smooth(160, 96).save(tmp_path / "b.jpg", comment=b"a copy")
    smooth(168, 96).save(tmp_path / "c.jpg")
    _, found = look()
    assert (found.digest[0] == found.digest[1]).all()
    assert (found.digest[0] != found.digest[2]).any()


def test_a_large_jpeg_that_was_cut_is_still_found_out(tmp_path, look, reduced):
    smooth(160, 96).save(tmp_path / "a.jpg", quality=95)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    _, found = look()
    assert [row.reason for row in found.bad] == ["cut short"]

"""An image is known by its content, whatever stands beside it."""

from __future__ import annotations

import numpy as np

from eactf.packed.identity import IdMaker, content_digest, digests_of, image_digests, pixel_digest
from eactf.packed.records import MAX_ID, Samples


def test_a_digest_is_of_shape_type_and_values():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert pixel_digest(image) == pixel_digest(image.copy()) == pixel_digest(image[..., None])
    others = [image.T, image.reshape(4, 3), image.astype(np.int64), image + 1]
    assert len({pixel_digest(image), *map(pixel_digest, others)}) == 5


def test_the_digests_of_many_are_those_of_each_however_they_are_read(monkeypatch):
    monkeypatch.setattr("eactf.packed.identity._BATCH_BYTES", 60)
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 1), dtype=np.uint8)
    assert image_digests(images).tolist() == [pixel_digest(image) for image in images]
    assert image_digests(images[:0]).shape == (0,)


def test_digests_that_were_kept_come_before_those_of_the_pixels():
    images = np.zeros((2, 2, 2, 1), np.uint8)
    samples = Samples(images, ids=np.arange(2), given=np.zeros(2, int))
    assert digests_of(samples).tolist() == [pixel_digest(images[0])] * 2
    kept = Samples(images, np.arange(2), np.zeros(2, int), digests=np.array([5, 6], np.uint64))
    assert digests_of(kept.take(np.array([1]))).tolist() == [6]


def test_ids_follow_name_and_content_and_not_the_place():
    one, other = IdMaker(), IdMaker()
    first = [one.make(name, 7) for name in "abc"]
    assert [other.make(name, 7) for name in "xcab"][1:] == [first[2], first[0], first[1]]
    assert other.make("a", 8) not in first
    assert all(0 <= number <= MAX_ID for number in first)


def test_equal_images_without_names_are_told_apart_by_counting():
    one, other = IdMaker(), IdMaker()
    first = [one.make("", 7), one.make("", 7), one.make("", 9)]
    assert len(set(first)) == 3
    assert [other.make("", 9), other.make("", 7), other.make("", 7)] == [first[2], *first[:2]]


def test_no_id_is_given_twice_where_hashes_meet(monkeypatch):
    monkeypatch.setattr("eactf.packed.identity.content_digest", lambda content: MAX_ID)
    maker = IdMaker()
    assert [maker.make(name, 1) for name in "abc"] == [MAX_ID, 0, 1]


def test_a_digest_is_64_bits():
    assert 0 <= content_digest(b"") < 2**64

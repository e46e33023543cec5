"""Threads that decode share a bounded room, and large images go through it in parts."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from image_zoo import SPECIMENS
from PIL import Image

from eactf.intake.decode import FileImages, strips, upright
from eactf.intake.room import Room, decoding_bytes


def most_at_once(room, sizes):
    """The most bytes that threads, each holding one of `sizes`, ever hold together."""
    lock, held, peaks = threading.Lock(), [], []
    start = threading.Barrier(len(sizes))

    def take(size):
        start.wait()
        with room.hold(size):
            with lock:
                held.append(size)
                peaks.append(sum(held))
            threading.Event().wait(0.002)
            with lock:
                held.remove(size)

    threads = [threading.Thread(target=take, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(peaks)


def test_threads_hold_no_more_than_the_room_has():
    assert most_at_once(Room(10), [4] * 12) <= 10


def test_what_is_larger_than_the_room_is_held_alone():
    assert most_at_once(Room(10), [50, 50, 50, 1, 1]) == 50


def test_a_fault_gives_the_room_back():
    room = Room(10)
    with pytest.raises(ValueError, match="no image"), room.hold(10):
        raise ValueError("no image")
    with room.hold(10):
        pass


@pytest.mark.parametrize(
    ("mode", "least"), [("L", 1), ("RGB", 4), ("RGBA", 8), ("I;16", 3), ("F", 5)]
)
def test_an_image_takes_the_bytes_of_its_pixels_and_of_what_becomes_of_them(mode, least):
    assert decoding_bytes(Image.new(mode, (10, 20))) >= least * 200


GOOD = [name for name, (_, expected) in SPECIMENS.items() if not isinstance(expected, str)]


@pytest.mark.parametrize("name", GOOD)
def test_strips_give_the_pixels_that_the_whole_gives(tmp_path, monkeypatch, name):
    monkeypatch.setattr("eactf.intake.decode._STRIP", 5)
    (tmp_path / name).write_bytes(SPECIMENS[name][0])
    with FileImages(tmp_path, [name]).open(0) as image:
        np.testing.assert_array_equal(np.asarray(upright(image)), SPECIMENS[name][1])


def test_strips_are_the_image_from_top_to_bottom(monkeypatch):
    monkeypatch.setattr("eactf.intake.decode._STRIP", 9)
    pixels = np.arange(28, dtype=np.uint8).reshape(7, 4)
    parts = list(strips(Image.fromarray(pixels)))
    assert [top for top, _ in parts] == [0, 2, 4, 6]
    np.testing.assert_array_equal(np.concatenate([np.asarray(part) for _, part in parts]), pixels)

"""A signal unwinds what runs, as Ctrl-C does: nothing half written is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from fresh_processes import fresh_environment
from PIL import Image

from eactf.stopping import Stopped, stops_as_interrupts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

PACK = """
import signal, sys, time
if hasattr(signal, "SIGHUP"):  # a test under nohup has it ignored
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
from eactf.cli import main
from eactf.packed import PackedWriter

def append(*_, **__):
    print("packing", flush=True)
    time.sleep(60)

PackedWriter.append = append
sys.argv = ["eactf", "data", "pack", "faces", "-o", "data.h5", "--size", "8"]
main()
"""
"""`eactf data pack` that does not get on."""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_packing_that_is_stopped_leaves_nothing_and_says_by_what(tmp_path, name):
    rng = np.random.default_rng(0)
    for number in range(4):
        folder = tmp_path / "faces" / ("happy", "sad")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    process = subprocess.Popen(
        [sys.executable, "-c", PACK],
        cwd=tmp_path,
        env=fresh_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = iter(process.stdout.readline, "")
        assert any(line == "packing\n" for line in lines)
        assert len([left for left in tmp_path.iterdir() if left.name.startswith(".writing-")]) == 2
        number = getattr(signal, name)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert said == "eactf: interrupted\n"
    assert [left.name for left in tmp_path.iterdir()] == ["faces"]


def test_what_was_listened_to_before_is_afterwards_as_well():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stop, stops_as_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_closed_terminal_that_is_to_be_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stops_as_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

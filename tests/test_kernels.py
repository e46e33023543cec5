"""oneDNN is on wherever TensorFlow has it, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from fresh_processes import fresh_environment, on_x86

from eactf import kernels

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
SAYS = (
    "from tensorflow.python.util import _pywrap_util_port\n"
    "print(os.environ.get(SWITCH), _pywrap_util_port.IsMklEnabled())\n"
)

only_on_x86 = pytest.mark.skipif(not on_x86(), reason="x86 alone is switched")


def in_a_fresh_process(code, **environment):
    """What `code` prints, and its standard error, in a process that no setting was handed to."""
    done = subprocess.run(
        [sys.executable, "-c", f"import os, sys\nSWITCH = {SWITCH!r}\n{code}"],
        env=fresh_environment(TF_CPP_MIN_LOG_LEVEL="3", **environment),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


@only_on_x86
def test_importing_eactf_asks_for_onednn_and_tensorflow_then_has_it_on():
    code = (
        "import eactf\n"
        "assert 'tensorflow' not in sys.modules\n"
        "import gc\n"
        "from eactf.quiet import start_tensorflow\n"
        "start_tensorflow()\n"
        "assert gc.isenabled() and gc.get_freeze_count()\n" + SAYS + "del os.environ[SWITCH]\n"
        # As if TensorFlow had been imported before, on a CPU where it is on by itself.
        "eactf.kernels.prefer_onednn()\n"
    )
    said, errors = in_a_fresh_process(code)
    assert said == ["1", "True"]
    assert "oneDNN kernels" not in errors


@only_on_x86
def test_what_the_user_has_set_stays_and_a_tensorflow_without_onednn_is_told_of_in_one_line():
    code = (
        "import tensorflow\n"
        "import eactf, eactf.losses\n" + SAYS + "print('told:', file=sys.stderr, flush=True)\n"
        # As if it had been off by itself: no one has set anything.
        "del os.environ[SWITCH]\n"
        "eactf.kernels.prefer_onednn()\n"
    )
    said, errors = in_a_fresh_process(code, **{SWITCH: "0"})
    assert said == ["0", "False"]
    before, _, after = errors.partition("told:\n")
    assert "oneDNN kernels" not in before
    told = [line for line in after.splitlines() if "oneDNN kernels" in line]
    assert len(told) == 1
    assert f"Import eactf first, or set {SWITCH}=1" in told[0]


def test_another_processor_keeps_what_tensorflow_chooses(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(kernels.platform, "machine", lambda: "aarch64")
    kernels.prefer_onednn()
    assert SWITCH not in os.environ


@pytest.mark.parametrize(
    ("on", "environment", "features", "said"),
    [
        (True, {SWITCH: "1"}, ("avx", "avx2", "fma"), "oneDNN, AVX2"),
        (True, {SWITCH: "1"}, ("avx2", "avx512f", "avx512_bf16"), "oneDNN, AVX-512 with bfloat16"),
        (True, {SWITCH: "1"}, (), "oneDNN"),
        (
            True,
            {SWITCH: "1", "ONEDNN_MAX_CPU_ISA": "AVX2"},
            ("avx512f",),
            "oneDNN, AVX2 at most (ONEDNN_MAX_CPU_ISA)",
        ),
        (False, {SWITCH: "0"}, ("avx2",), f"Eigen ({SWITCH}=0: oneDNN is off), AVX2"),
        (False, {}, ("avx2",), "Eigen, AVX2"),
        (None, {}, (), "TensorFlow's own"),
    ],
)
def test_the_kernels_are_named(monkeypatch, on, environment, features, said):
    for name in (SWITCH, "ONEDNN_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(kernels, "_onednn_is_on", lambda: on)
    monkeypatch.setattr(kernels, "cpu_features", lambda: features)
    assert kernels.describe_kernels() == said

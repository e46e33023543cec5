"""This module has TensorFlow compute on a CPU with oneDNN's fast kernels wherever it has them.

TensorFlow's x86 builds carry oneDNN beside Eigen and switch it on by themselves only on CPUs with
AVX512_VNNI, AVX512_BF16 or AMX. On all others a training step takes about four times as long as it
need (two AVX2 cores, ResNet-18 at 64 px). The switch is an environment variable that is read while
TensorFlow is imported, so it is set when eactf is, and processes that are started inherit it.
"""

from __future__ import annotations

import os
import platform
import sys
import warnings
from pathlib import Path
from typing import Any

__all__ = ["cpu_features", "cpu_flags", "describe_kernels", "kernel_facts", "prefer_onednn"]

_SWITCH = "TF_ENABLE_ONEDNN_OPTS"
_LIMIT = "ONEDNN_MAX_CPU_ISA"
_TELLING = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def prefer_onednn() -> None:
    """Have TensorFlow use oneDNN on x86, unless the user has set the switch.

    Warns, once, where TensorFlow was imported before without it: that cannot be mended any more.
    Elsewhere than on x86 TensorFlow's own choice stands.
    """
    if platform.machine().lower() not in ("x86_64", "amd64") or _SWITCH in os.environ:
        return
    if "tensorflow" not in sys.modules:
        os.environ[_SWITCH] = "1"
    elif _onednn_is_on() is False:
        warnings.warn(
            "TensorFlow was imported before eactf, without its oneDNN kernels: on this CPU "
            "training takes up to 4 times as long. Import eactf first, or set "
            f"{_SWITCH}=1 before Python starts",
            RuntimeWarning,
            stacklevel=3,  # the user's own `import eactf`
        )


def kernel_facts() -> dict[str, Any]:
    """What decides the kernels: for a run's records. Imports TensorFlow."""
    return {
        "onednn": _onednn_is_on(),
        _SWITCH: os.environ.get(_SWITCH),
        _LIMIT: os.environ.get(_LIMIT),
        "cpu_features": list(cpu_features()),
    }


def describe_kernels() -> str:
    """The kernels in a few words: `oneDNN, AVX-512 with bfloat16`. Imports TensorFlow."""
    on = _onednn_is_on()
    switch = os.environ.get(_SWITCH)
    library = "oneDNN" if on else "TensorFlow's own" if on is None else "Eigen"
    if on is False and switch is not None:
        library += f" ({_SWITCH}={switch}: oneDNN is off)"
    limit = os.environ.get(_LIMIT)
    if on and limit:
        return f"{library}, {limit} at most ({_LIMIT})"
    vectors = _vectors(cpu_features())
    return f"{library}, {vectors}" if vectors else library


def cpu_features() -> tuple[str, ...]:
    """Those of the CPU's features that decide how fast it computes; empty where not Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    flags = cpu_flags(text)
    return tuple(name for name in _TELLING if name in flags)


def cpu_flags(cpuinfo: str) -> frozenset[str]:
    """The CPU's flags by the text of `/proc/cpuinfo`.

    >>> sorted(cpu_flags("flags\\t\\t: fpu avx2\\nbugs\\t\\t: spectre_v1\\n"))
    ['avx2', 'fpu']
    """
    pairs = (line.partition(":") for line in cpuinfo.splitlines())
    found = (value.split() for key, _, value in pairs if key.strip() == "flags")
    return frozenset(flag for flags in found for flag in flags)


def _vectors(features: tuple[str, ...]) -> str:
    """The widest instructions among `features`.

    >>> _vectors(("avx", "avx2", "fma"))
    'AVX2'
    """
    bfloat16 = " with bfloat16" if {"avx512_bf16", "amx_bf16"} & set(features) else ""
    widest = (("amx_bf16", "AMX"), ("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"))
    return next((name + bfloat16 for flag, name in widest if flag in features), "")


def _onednn_is_on() -> bool | None:
    """What TensorFlow itself decided when it was imported; None where it does not say."""
    try:
        # Not public, but the only one who knows: the switch may have been set too late.
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return None
    return bool(_pywrap_util_port.IsMklEnabled())

"""This module chooses the devices that a run trains on and names them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from eactf.errors import UsageError
from eactf.wording import counted

__all__ = ["choose_strategy", "describe_devices"]


def choose_strategy(devices: int | None) -> Any:
    """A strategy over every GPU found, or over `devices` of them; one device otherwise.

    Without a GPU, `devices` counts logical CPU devices (`tf.config` makes them; tests do). Raises
    `UsageError` when fewer are there than asked for.
    """
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    on_gpu = found[0].device_type == "GPU"
    wanted = devices if devices is not None else (len(found) if on_gpu else 1)
    if wanted > len(found):
        kind = "GPU" if on_gpu else "CPU device"
        raise UsageError(
            f"train.devices = {wanted}, but there is {len(found)} {kind}",
            hint="set train.devices lower, or to null for every GPU found",
        )
    names = [device.name for device in found[:wanted]]
    if wanted == 1:
        # A mirrored strategy over one device costs time and gives nothing.
        return tf.distribute.OneDeviceStrategy(names[0]) if on_gpu else tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(names)


def describe_devices(strategy: Any) -> str:
    """The devices in a few words: `1 CPU`, `2 GPUs`, `8 GPUs of 2 workers`."""
    count = int(strategy.num_replicas_in_sync)
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    workers = count // len(strategy.extended.worker_devices) if count > 1 else 1
    return counted(count, kind) + (f" of {workers} workers" if workers > 1 else "")

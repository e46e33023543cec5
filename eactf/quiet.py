"""This module starts TensorFlow without its start-up chatter."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["held_back", "start_tensorflow"]


def start_tensorflow(*, find_devices: bool = True) -> None:
    """Import TensorFlow and find the devices, with what their C++ prints held back.

    If the import fails, what was held back is printed after all. Without `find_devices` nothing is
    computed yet: on several machines they have to be connected first.

    Garbage is not looked for meanwhile, nor ever among what was imported: a fifth of the time that
    importing Keras takes goes into looking through modules that stay.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    collected = gc.isenabled()
    gc.disable()
    try:
        with held_back():
            import keras  # noqa: F401 (all that use TensorFlow use it)
            import tensorflow as tf

            if find_devices:
                tf.config.list_logical_devices()
                tf.constant(0)  # the first operation prints the CPU's features
    finally:
        gc.freeze()
        if collected:
            gc.enable()


@contextmanager
def held_back() -> Iterator[None]:
    """Hold back what is printed to standard error; after a failure it is printed after all.

    The notices on oneDNN, CPU features and missing CUDA drivers go straight to file descriptor 2,
    whatever the log level says.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)

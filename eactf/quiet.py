"""`start_tensorflow` starts TensorFlow without its start-up chatter."""

from __future__ import annotations

import gc
import os
import sys
import tempfile

__all__ = ["start_tensorflow"]


def start_tensorflow() -> None:
    """Import TensorFlow and find the devices, with what their C++ prints held back.

    The notices on oneDNN, CPU features and missing CUDA drivers go straight to file descriptor 2,
    whatever the log level says. If the import fails, what was held back is printed after all.

    Garbage is not looked for meanwhile, nor ever among what was imported: a fifth of the time that
    importing Keras takes goes into looking through modules that stay.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    kept = os.dup(2)
    collected = gc.isenabled()
    gc.disable()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            import keras  # noqa: F401 (all that use TensorFlow use it)
            import tensorflow as tf

            tf.config.list_logical_devices()
            tf.constant(0)  # the first operation prints the CPU's features
        except Exception:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            gc.freeze()
            if collected:
                gc.enable()
            os.dup2(kept, 2)
            os.close(kept)

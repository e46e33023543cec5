"""Two logical CPU devices for the whole session, and classifiers small enough to check by hand."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from tiny_classifiers import make_faces, make_tiny_classifier

import eactf  # before TensorFlow, which reads what it asks for once  # noqa: F401

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The suite runs in as many processes as there are cores; so do the commands that tests start.
for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(name, "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell interrupts are ignored, and the commands that tests interrupt
    # would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

NEEDS_TENSORFLOW = (
    "eactf/data/pipeline.py",
    "eactf/evaluation",
    "eactf/export",
    "eactf/losses",
    "eactf/methods",
    "eactf/nn",
    "eactf/optimizers.py",
    "eactf/report/page/evidence.py",
    "eactf/report/page/looking.py",
    "eactf/report/page/network.py",
    "eactf/schedules.py",
    "eactf/training",
    "tests/cli/test_data_noise.py",
    "tests/cli/test_evaluate.py",
    "tests/cli/test_export.py",
    "tests/cli/test_predict.py",
    "tests/cli/test_report.py",
    "tests/cli/test_train.py",
    "tests/cli/test_weights.py",
    "tests/data/test_pipeline.py",
    "tests/evaluation",
    "tests/export",
    "tests/losses",
    "tests/methods",
    "tests/nn",
    "tests/recipe/test_shipped_dry_run.py",
    "tests/report/page/test_looking.py",
    "tests/report/page/test_network.py",
    "tests/report/test_cell_processes.py",
    "tests/report/test_tables_dry_run.py",
    "tests/security/test_hostile_weights.py",
    "tests/security/test_storage.py",
    "tests/test_kernels.py",
    "tests/test_optimizers.py",
    "tests/test_public_names.py",
    "tests/test_schedules.py",
    "tests/training",
    "tests/wizard/test_end_to_end.py",
)
"""Where the tests and examples are that `make check` leaves out. What is not named here fails there
if it needs TensorFlow."""

WITHOUT_TENSORFLOW = bool(os.environ.get("EACTF_TESTS_WITHOUT_TENSORFLOW"))
if WITHOUT_TENSORFLOW:

    class Barred:
        """Whatever imports them all the same fails, and is then found.

        An entry of None in `sys.modules` would do as much, but SciPy takes it for the module.
        """

        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.partition(".")[0] in ("tensorflow", "keras", "keras_cv", "torch"):
                raise ModuleNotFoundError(f"{name} is left out of these tests", name=name)

    sys.meta_path.insert(0, Barred)

RUN_TOGETHER = {
    "tests/cli/test_data_noise.py": "noise",
    "tests/cli/test_evaluate.py": "trained",
    "tests/cli/test_export.py": "trained",
    "tests/cli/test_predict.py": "trained",
    "tests/cli/test_report.py": "trained",
    "tests/cli/test_train.py": "trained",
    "tests/export/test_files.py": "exported",
    "tests/report/page/test_rendering.py": "page",
    "tests/security/test_storage.py": "storage",
    "tests/test_packaging.py": "wheel",
    "tests/training/test_out_of_fold.py": "folds",
    "tests/training/test_runs.py": "runs",
    "tests/training/test_several_machines.py": "machines",
}
"""Modules whose fixtures take seconds to make: each group runs in one process, which makes them
once. All other tests go one by one to whichever process is free."""


def pytest_configure(config):
    """Leave out what needs TensorFlow where it is not to be had."""
    if WITHOUT_TENSORFLOW:
        left_out = [str(Path(config.rootpath, name)) for name in NEEDS_TENSORFLOW]
        config.option.ignore = [*(config.option.ignore or ()), *left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Deal out the tests as `RUN_TOGETHER` says."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFixture(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return RUN_TOGETHER.get(nodeid.partition("::")[0], nodeid)

    return ByFixture(config, log)


def pytest_collection_finish():
    """Split the CPU in two before the first operation; tests without TensorFlow pay nothing."""
    if sys.modules.get("tensorflow") is None:
        return
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)


@pytest.fixture(scope="session")
def two_devices():
    """The one mirrored strategy of the session: those of one process share their message keys."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def eagerly():
    """Steps without their graphs, whose building takes most of the time of a small run."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def tiny_classifier():
    """A maker of classifiers: normalisation, one 3x3 convolution, pooling, dense logits."""
    return make_tiny_classifier


@pytest.fixture
def faces():
    """A maker of seeded batches: images `(n, size, size, channels)` in 0..255 and labels."""
    return make_faces

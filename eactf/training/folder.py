"""`RunFolder` writes the files of a run, each whole or not at all.

::

    runs/NAME/
      recipe.yaml         the resolved recipe, every line saying where it came from
      run.json            what `--resume` needs beside it: version, recipe, where the files lie
      command.txt         the command
      environment.json    versions, devices, platform, CPU features and kernels
      labels.csv          id, given, clean of every training sample
      samples.csv         every image of the data: trained on, held out, or not used
      division.csv        how likely clean two networks take each label to be, and what they keep
      judged.jsonl        recalls and confusion matrix of every epoch, with report.every_epoch
      scores.csv          of each training image its mean loss and margin, how often it was
                          predicted as given, and SCN's importance or RUL's uncertainty
      traces.npz          the same with every class's mean probability, for `eactf audit`
      data.json           where the data came from, how many images, and a hash of all of them
      noise.json          its SHA-256, the noise's kind, requested and realised rate
      metrics.jsonl       one JSON object an epoch
      history.csv         the same as a table
      checkpoints/        last.npz and best.npz, the whole state of the run after these epochs
      model.keras         the trained classifier; opens with Keras alone
      network-1.keras     each of two networks alone; model.keras gives the sum of their logits
      result.json         the figures of the finished run
      status.json         running, finished, failed or interrupted, and how far
      worker-1.log        what another worker said, of a run on several machines
      run.lock            there while a process works on the run, and held by it
"""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any

from eactf.errors import DataError, TrainingError, UsageError
from eactf.files import write_text
from eactf.foreign import reason_of
from eactf.kernels import kernel_facts
from eactf.training.lock import RunLock

__all__ = ["CannotWriteError", "ChiefsFolder", "RunFolder", "writing"]

_PACKAGES = ("eactf", "tensorflow", "keras", "numpy", "h5py", "keras-cv")


class CannotWriteError(TrainingError):
    """A run's file cannot be written; once it can, the run can be gone on with."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell of a file that cannot be written, for want of room or permission, as the run's end."""
    try:
        yield
    except OSError as fault:
        reason = fault.strerror or reason_of(fault)
        raise CannotWriteError(
            f"{path} cannot be written: {reason.lower()}",
            hint="what was saved before is whole; make room, or give back the permission",
        ) from fault


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._started = self.read_json("status.json").get("started", time.time())

    @classmethod
    def create(cls, name: str, wanted: Path | None) -> RunFolder:
        """Make `wanted`, or `runs/NAME`, `runs/NAME-2`, ... when no folder is asked for.

        Raises `UsageError` when `wanted` exists (a run's folder is never written over) and where
        no folder can be made.
        """
        cls.refuse_existing(wanted)
        try:
            if wanted is not None:
                wanted.mkdir(parents=True)
                return cls(wanted)
            return cls(_new_folder(Path("runs"), name))
        except OSError as fault:
            reason = fault.strerror or reason_of(fault)
            raise UsageError(
                f"the run folder {wanted or 'runs/' + name} cannot be made: {reason.lower()}",
                hint="give a --run-dir in a folder that may be written to",
            ) from fault

    @staticmethod
    def refuse_existing(wanted: Path | None) -> None:
        """Raise `UsageError` when the folder asked for exists: known before any work is done."""
        if wanted is not None and (wanted.exists() or wanted.is_symlink()):
            raise UsageError(
                f"run folder {wanted} exists and is left as it is",
                hint="give another --run-dir, or none: a free name under runs/ is then chosen",
            )

    def file(self, name: str) -> Path:
        """The path of a file in the folder; its parent folder is made."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, whole or not at all; `TrainingError` where that cannot be done."""
        with writing(self.path / name):
            write_text(self.file(name), text)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file, whole or not at all."""
        self.write_text(name, json.dumps(content, indent=2, default=_plain) + "\n")

    def write_environment(self, devices: str) -> None:
        """Write versions, devices, platform, and what decides the CPU's kernels."""
        versions = {name: _version(name) for name in _PACKAGES}
        self.write_json(
            "environment.json",
            {
                "python": platform.python_version(),
                "packages": {name: version for name, version in versions.items() if version},
                "platform": platform.platform(),
                "processor_count": os.cpu_count(),
                "devices": devices,
                "kernels": kernel_facts(),
            },
        )

    def write_status(self, state: str, **fields: Any) -> None:
        """Write `status.json`: the state, when, and what else there is to say."""
        now = time.time()
        self.write_json(
            "status.json",
            {"state": state, "started": self._started, "updated": now, **fields},
        )

    def write_epochs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write what is known of all epochs to `metrics.jsonl` and `history.csv`."""
        self.write_lines("metrics.jsonl", rows)
        # Some methods have more to tell in later epochs; what is no single value is in the lines.
        columns = {name: value for row in rows for name, value in row.items()}
        single = [name for name, value in columns.items() if not isinstance(value, (dict, list))]
        table = io.StringIO()
        writer = csv.DictWriter(table, single, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write_text("history.csv", table.getvalue())

    def write_lines(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a file of JSON objects, one a line, whole or not at all."""
        self.write_text(name, "".join(json.dumps(row, default=_plain) + "\n" for row in rows))

    def checkpoint(self, which: str) -> Path:
        """The file of the checkpoint `last` or `best`."""
        return self.file(f"checkpoints/{which}.npz")

    def lock(self) -> RunLock:
        """What a process holds while it works on the run."""
        return RunLock(self.path)

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder; empty where there is none. `DataError` where it is damaged."""
        path = self.path / name
        if not path.is_file():
            return {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as reason:
            raise DataError(f"{path} is damaged: {reason_of(reason)}") from reason
        return found if isinstance(found, dict) else {}

    def set_result_aside(self) -> None:
        """Keep the result of a run that is prolonged under another name: it is not the last."""
        result = self.read_json("result.json")
        if result:
            aside = self.path / f"result-after-{result['epochs']}-epochs.json"
            os.replace(self.path / "result.json", aside)

    def clean_up(self) -> None:
        """Remove what a process that was killed had half written."""
        for leftover in self.path.rglob(".writing-*"):
            leftover.unlink(missing_ok=True)


class ChiefsFolder(RunFolder):
    """The folder of a run as the workers have it that do not write to it."""

    def write_text(self, name: str, text: str) -> None:
        """Leave it to the chief."""

    def file(self, name: str) -> Path:
        """The path of a file in the folder; no folder is made."""
        return self.path / name

    def lock(self) -> Any:
        """Nothing: the chief holds the folder."""
        return nullcontext()

    def clean_up(self) -> None:
        """Leave it to the chief."""

    def set_result_aside(self) -> None:
        """Leave it to the chief."""


def _new_folder(parent: Path, name: str) -> Path:
    number = 1
    while True:
        path = parent / (name if number == 1 else f"{name}-{number}")
        parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)

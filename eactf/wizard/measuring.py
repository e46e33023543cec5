"""This module measures, before the plan stands, a step's seconds and the share of wrong labels.

Both need TensorFlow and run as commands of their own, in processes that end with the wizard.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eactf.checked.folder import CheckFolder, checks_name
from eactf.errors import EactfError
from eactf.intake.sources import SourceOptions
from eactf.wizard.cost import StepTime
from eactf.wizard.label_rules import NoiseEstimate
from eactf.wizard.plan import Plan
from eactf.wizard.writing import recipe_text

__all__ = ["Commands", "Measured", "Measuring", "MeasuringError", "Nothing", "read_noise"]

_LABELS_JUDGED = 10_000
"""Enough for a narrow interval, and a matter of minutes without a GPU."""

_PAIRS = 3
_PAIR_SHARE = 0.02

_PATIENCE = 10.0
"""Seconds that a measurement has to end in."""


class MeasuringError(EactfError):
    """A measurement failed; the plan goes on without it."""


@dataclass(frozen=True)
class Measured:
    """A timed step, and the devices that TensorFlow ran it on (`1 CPU`, `2 GPUs`)."""

    step: StepTime
    devices: str


class Measuring(Protocol):
    """Who measures; raises `MeasuringError` when it does not work out."""

    @property
    def possible(self) -> bool:
        """Whether anything is measured at all."""

    def step(self, plan: Plan) -> Measured:
        """Time a step of the plan's network on this machine."""

    def noise(
        self, path: Path, options: SourceOptions, told: Callable[[float], None]
    ) -> NoiseEstimate:
        """Estimate the share of wrong labels; `told` hears how many seconds it will take."""


@dataclass(frozen=True)
class Nothing:
    """Measures nothing: the plan then rests on estimates, and says so."""

    possible: bool = False

    def step(self, plan: Plan) -> Measured:
        raise MeasuringError("nothing is measured")

    def noise(
        self, path: Path, options: SourceOptions, told: Callable[[float], None]
    ) -> NoiseEstimate:
        raise MeasuringError("nothing is measured")


@dataclass(frozen=True)
class Commands:
    """Measures by `eactf train --dry-run` and `eactf data noise`."""

    possible: bool = True

    def step(self, plan: Plan) -> Measured:
        # Drawn faces of the same size: a step costs the same whatever the images show, and the
        # user's own would have to be packed first.
        batch, size = int(plan.value("train.batch_size")), int(plan.value("data.image_size"))
        settings = {
            "data.source": "drawn-faces",
            "data.drawn.train": 4 * batch,
            "data.drawn.validation": batch,
            "data.drawn.test": 1,
            "data.drawn.size": min(max(size, 16), 48),
            "noise.kind": "none",
        }
        with tempfile.TemporaryDirectory() as folder:
            recipe = Path(folder) / "plan.yaml"
            recipe.write_text(recipe_text(plan.choices, about="A step to be timed."))
            words = [
                word for key, value in settings.items() for word in ("--set", f"{key}={value}")
            ]
            events = _run(["train", "--recipe", str(recipe), "--dry-run", "--json", *words])
        timed, begun = _event(events, "dry_run"), _event(events, "start")
        step = StepTime(
            float(timed["train_step_seconds"]), float(timed["eval_step_seconds"]), measured=True
        )
        return Measured(step, str(begun["devices"]))

    def noise(
        self, path: Path, options: SourceOptions, told: Callable[[float], None]
    ) -> NoiseEstimate:
        def hear(event: dict[str, Any]) -> None:
            if event.get("event") == "expected":
                told(float(event["seconds"]))

        command = ["data", "noise", str(path), "--json", *_which(path), *options.flags()]
        return read_noise(_event(_run(command, hear), "noise"))


def _which(path: Path) -> list[str]:
    """The words that choose labels: those of the checks a person has begun here, if any."""
    checks = Path(checks_name(path))
    if CheckFolder.is_at(checks):
        with suppress(EactfError):  # damaged: the networks' estimate does without it
            return ["--checks", str(checks), *CheckFolder.open(checks).store.options]
    return ["--limit", str(_LABELS_JUDGED)]


def read_noise(event: Mapping[str, Any]) -> NoiseEstimate:
    """The `noise` event of `eactf data noise --json`."""
    advice, tells = event.get("advice") or {}, bool(event.get("tells", True))
    return NoiseEstimate(
        rate=float(event["rate"]),
        low=float(event["low"]),
        high=float(event["high"]),
        method=str(advice.get("method", "")),
        settings=dict(advice.get("settings") or {}),
        text=str(advice.get("text", "")),
        by=str(event.get("by", "networks")),
        highest=float((event.get("by_networks") or {}).get("highest", 0.0)),
        pairs=_pairs(event["matrix"], event["class_names"]) if tells else (),
        tells=tells,
    )


def _pairs(matrix: Sequence[Sequence[float]], names: Sequence[str]) -> tuple[Any, ...]:
    """The most frequent mistakes; row: likely true class, column: given."""
    given = [sum(row[column] for row in matrix) or 1.0 for column in range(len(names))]
    found = [
        (names[column], names[row], matrix[row][column] / given[column])
        for row in range(len(names))
        for column in range(len(names))
        if row != column and matrix[row][column] >= _PAIR_SHARE * given[column]
    ]
    return tuple(sorted(found, key=lambda pair: -pair[2])[:_PAIRS])


def _run(
    arguments: Sequence[str], hear: Callable[[dict[str, Any]], None] | None = None
) -> list[dict[str, Any]]:
    """The JSON events of an eactf command, each given to `hear` as it comes.

    Raises `MeasuringError` with the command's own reason where it fails.
    """
    events = []
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "eactf", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
        )
        try:
            for line in process.stdout or ():
                events.append(_event_of(line))
                if hear is not None:
                    hear(events[-1])
            process.wait()
        finally:
            _end(process)  # where the person interrupts; it has ended otherwise
        if process.returncode:
            errors.seek(0)
            code = process.returncode
            raise MeasuringError(_reason(errors.read()) or f"it ended with exit code {code}")
    return events


def _end(process: subprocess.Popen[str]) -> None:
    """Have a process end, with time to take away what it has half written."""
    process.terminate()
    try:
        process.communicate(timeout=_PATIENCE)
    except BaseException as reason:
        process.kill()
        process.wait()
        if not isinstance(reason, subprocess.TimeoutExpired):
            raise


def _event(events: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    for event in events:
        if event.get("event") == name:
            return event
    raise MeasuringError(f"it printed no {name} event")


def _reason(errors: str) -> str:
    """The first line of a failure: what JSON says of it, else what stands last."""
    lines = [line for line in errors.splitlines() if line.strip()]
    told = [str(event["message"]) for event in map(_event_of, lines) if "message" in event]
    return (told or lines or [""])[-1].partition("\n")[0]


def _event_of(line: str) -> dict[str, Any]:
    """The JSON object on a line; empty for anything else."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}

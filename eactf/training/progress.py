"""This module shows a run while it trains: a bar on a terminal, otherwise one line an epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import keras
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn

from eactf import console
from eactf.training.run_state import RunState
from eactf.training.session import Session
from eactf.wording import format_duration

__all__ = ["ProgressDisplay", "format_duration"]

_COLUMNS = {
    "loss": ("loss", "{:.3f}"),
    "cross_entropy": ("x-ent", "{:.3f}"),
    "consistency": ("consist", "{:.3f}"),
    "map_spread": ("spread", "{:.3f}"),
    "rank": ("rank", "{:.3f}"),
    "importance": ("import", "{:.3f}"),
    "relabelled": ("relabel", "{:.1%}"),
    "uncertainty": ("uncert", "{:.3f}"),
    "labelled": ("labelled", "{:.3f}"),
    "unlabelled": ("unlab", "{:.3f}"),
    "penalty": ("penalty", "{:.3f}"),
    "joint_loss": ("joint", "{:.3f}"),
    "discriminator_loss": ("discr", "{:.3f}"),
    "discriminator_accuracy": ("d-acc", "{:.1%}"),
    "kept_1": ("kept 1", "{:.1%}"),
    "kept_2": ("kept 2", "{:.1%}"),
    "accuracy": ("train", "{:.1%}"),
    "val_accuracy": ("valid", "{:.1%}"),
    "val_macro_recall": ("recall", "{:.1%}"),
    "val_lowest_recall": ("lowest", "{:.1%}"),
}
"""Logged values as columns: heading and form. `recall` is the macro recall on validation, `lowest`
the recall there of the class that is recognised worst."""


class ProgressDisplay(keras.callbacks.Callback):
    """Shows an epoch bar with loss parts, images/s and time left; prints each finished epoch.

    Images/s counts training images (an EAC image is passed twice) over the epoch's own steps,
    validation left out. `state` says where the run stands, which may have been taken up.
    """

    def __init__(self, session: Session, state: RunState) -> None:
        super().__init__()
        self.session = session
        self.epochs = session.recipe.train.epochs
        self.state = state
        self.images_per_second = 0.0
        self.samples, self.steps = 0, 1  # of the running epoch, once it has begun
        self._first: float | None = None
        self._live: Live | None = None
        self._bar: Progress | None = None
        self._epoch_seconds = 0.0
        self._headed: list[str] = []
        self._step_before = state.step
        self._begun = self._epoch_begun = time.perf_counter()

    def on_train_begin(self, logs: Any = None) -> None:
        self._begun = time.perf_counter()
        if console.is_terminal():
            self._bar = Progress(
                TextColumn("{task.fields[epoch]}"),
                BarColumn(bar_width=24),
                TextColumn("step {task.completed}/{task.total}  {task.fields[text]}"),
                console=console.out(),
            )
            place = self._place(self.state.epoch + 1)
            self._task = self._bar.add_task("", total=self.steps, epoch=place, text="starting")
            self._live = Live(self._bar, console=self._bar.console, transient=True)
            self._live.start()

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch_begun = time.perf_counter()
        self._epoch, self._step_before = epoch, self.state.step
        self.samples, self.steps = self.session.images_in(epoch), self.session.steps_in(epoch)
        if self._first is None:
            self._first = epoch + self._step_before / self.steps
        if self._bar is not None:
            place = self._place(epoch + 1)
            self._bar.reset(self._task, total=self.steps, epoch=place, text="")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._epoch_seconds = time.perf_counter() - self._epoch_begun
        if self._bar is None:
            return
        step = self.state.step
        rate = self.samples * self._share() / self._epoch_seconds
        left = (self.epochs - self._epoch - step / self.steps) * self.samples / rate
        loss = float((logs or {}).get("loss", 0.0))
        text = f"loss {loss:.3f}  {rate:.0f} img/s  {format_duration(left)} left"
        self._bar.update(self._task, completed=step, text=text)

    def show_epoch(self, row: Mapping[str, Any]) -> None:
        """Print one finished epoch."""
        # Nought where all steps were taken before the run was taken up.
        seconds = self._epoch_seconds
        self.images_per_second = self.samples * self._share() / seconds if seconds else 0.0
        done = row["epoch"]
        spent = time.perf_counter() - self._begun
        first = done if self._first is None else self._first
        left = spent / max(done - first, 1e-9) * (self.epochs - done)
        console.emit("epoch", **row, images_per_second=self.images_per_second, seconds_left=left)
        values = {name: form for name, form in _columns(row).items() if name in row}
        if self._headed != list(values):  # after a warm-up there is more to show
            self._headed = list(values)
            heads = "".join(f"{head:>9}" for head, _ in values.values())
            self._print(f"{'epoch':<{len(self._place(done))}}{heads}{'img/s':>8}  left")
        cells = "".join(f"{form.format(float(row[name])):>9}" for name, (_, form) in values.items())
        rate = f"{self.images_per_second:>8.0f}"
        self._print(f"{self._place(done)}{cells}{rate}  {format_duration(left)}")

    def _share(self) -> float:
        """The share of the running epoch that was trained since it began or was taken up."""
        return (self.state.step - self._step_before) / self.steps

    def _place(self, epoch: int) -> str:
        """`epoch/epochs`, as wide as the widest and as the column's heading."""
        width = max(len(str(self.epochs)), 2)
        return f"{epoch:>{width}}/{self.epochs:<{width}}"

    def _print(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(line, highlight=False)
        else:
            console.say(line)


def _columns(row: Mapping[str, Any]) -> Mapping[str, tuple[str, str]]:
    """The columns there may be: behind the loss that of each head, whatever it is called."""
    heads = [name for name in row if name.endswith("_loss") and name not in _COLUMNS]
    own = [name for name in heads if not name.startswith("val_")]
    named = {name: (name.removesuffix("_loss")[:8], "{:.3f}") for name in own}
    return {"loss": _COLUMNS["loss"], **named, **_COLUMNS}

"""`CheckStore` is what stays the same between the commands that work on one folder of checks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.files import write_bytes
from eactf.noise.draw_checks import CheckRound

__all__ = ["CheckStore"]

_KEYS = {"ids", "given", "probabilities", "class_names", "options", "seed", "rounds"}


@dataclass(frozen=True)
class CheckStore:
    """The labels a check is about, what networks predicted of them, and the rounds drawn so far.

    `ids` and `given` `(n,)` are those of the samples whose labels are judged, `probabilities`
    `(n, classes)` what was predicted out of fold. `options` are the words of the command line that
    chose the samples, `seed` is that of the draws. The probabilities with which samples were drawn
    are kept as they were: answers that are changed later do not change them.
    """

    ids: np.ndarray
    given: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    options: tuple[str, ...] = ()
    seed: int = 0
    rounds: tuple[CheckRound, ...] = ()

    @property
    def rows(self) -> np.ndarray:
        """The rows of all drawn samples, in the order in which they are asked for."""
        return np.concatenate([np.empty(0, np.int64), *(round_.rows for round_ in self.rounds)])

    def and_round(self, round_: CheckRound) -> CheckStore:
        """The store with a further round."""
        return replace(self, rounds=(*self.rounds, round_))

    def is_of(self, ids: np.ndarray, given: np.ndarray, class_names: Sequence[str]) -> bool:
        """Whether these are the very labels that it is about."""
        same = tuple(class_names) == self.class_names
        return same and np.array_equal(ids, self.ids) and np.array_equal(given, self.given)

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        arrays = {
            "ids": self.ids,
            "given": self.given,
            "probabilities": self.probabilities,
            "class_names": np.array(self.class_names, dtype=np.str_),
            "options": np.array(self.options, dtype=np.str_),
            "seed": np.array(self.seed),
            "rounds": np.array(len(self.rounds)),
        }
        for number, round_ in enumerate(self.rounds):
            arrays[f"rows_{number}"] = round_.rows
            arrays[f"inclusion_{number}"] = round_.inclusion
        content = io.BytesIO()
        # Plain arrays only; the keyword arguments of `savez` are typed as if they were its own.
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
        write_bytes(path, content.getvalue())

    @classmethod
    def read(cls, path: Path) -> CheckStore:
        """Read it back; `DataError` for a file that is no store, or is damaged."""
        try:
            # NumPy leaves a damaged file open if it is to open it itself.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            return cls._of(arrays)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path} is not what 'eactf data noise --checked' wrote, or is damaged",
                hint="take another folder with --checks; the answers in checks.csv stay readable",
            ) from error

    @classmethod
    def _of(cls, arrays: dict[str, np.ndarray]) -> CheckStore:
        if missing := _KEYS - set(arrays):
            raise KeyError(*missing)
        count = len(arrays["ids"])
        rounds = tuple(
            CheckRound(arrays[f"rows_{number}"], arrays[f"inclusion_{number}"])
            for number in range(int(arrays["rounds"]))
        )
        fits = len(arrays["given"]) == len(arrays["probabilities"]) == count
        if not fits or any(len(round_.inclusion) != count for round_ in rounds):
            raise ValueError("arrays of different lengths")
        return cls(
            ids=arrays["ids"],
            given=arrays["given"],
            probabilities=arrays["probabilities"],
            class_names=tuple(str(name) for name in arrays["class_names"]),
            options=tuple(str(word) for word in arrays["options"]),
            seed=int(arrays["seed"]),
            rounds=rounds,
        )

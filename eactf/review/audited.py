"""What was audited, and its data as a listing: a run's own, or what the user named.

::

    audit/
      audit.json        what was audited, how, and what was found in figures
      suspects.csv      the labels that are likelier wrong than right, worst first
      decisions.csv     what a person decided on them, once somebody has
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from eactf.data.opened import holds_images
from eactf.data.prepare import open_recipe_data
from eactf.data.run_record import FILE_NAME, RunRecord
from eactf.errors import DataError, UsageError
from eactf.files import write_text
from eactf.foreign import reason_of
from eactf.intake.listing import Listing
from eactf.intake.sources import SourceOptions, open_source
from eactf.intake.sources.packed import list_dataset
from eactf.noise import NoiseManifest
from eactf.noise.suspects import ANSWERS, write_suspects
from eactf.recipe import Recipe
from eactf.training.beginnings import recipe_of_run

__all__ = ["AuditFolder", "Audited", "audited_listing"]

_FORM = 1


@dataclass(frozen=True)
class Audited:
    """What an audit was of: a run's folder, or a path with the options it was read with.

    `path` is absolute. `label_set` names the labels that were judged where they are not the given
    ones of the data.
    """

    kind: str  # "run" or "data"
    path: str
    split: str
    class_names: tuple[str, ...]
    label_set: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_data(
        cls,
        path: Path,
        split: str,
        class_names: Sequence[str],
        label_set: str | None,
        options: SourceOptions,
    ) -> Audited:
        """An audit of data that the user named."""
        plain_options = asdict(SourceOptions())
        told = {key: value for key, value in asdict(options).items() if value != plain_options[key]}
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in told.items()}
        return cls("data", str(path.absolute()), split, tuple(class_names), label_set, plain)


class AuditFolder:
    """The files of one audit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suspects = path / "suspects.csv"
        self.decisions = path / "decisions.csv"
        self.about = path / "audit.json"

    @property
    def exists(self) -> bool:
        """Whether an audit was written there."""
        return self.about.is_file()

    def refuse_existing(self, overwrite: bool) -> None:
        """Raise `UsageError` where an audit is there, or, to be made anew, answers are in it."""
        if self.exists and not overwrite:
            raise UsageError(
                f"{self.path} holds an audit",
                hint="look through it with --review, make it anew with --overwrite, or name another"
                " folder with -o",
            )
        answered = [row for row in self.read_suspects() if any(row.get(a) for a in ANSWERS)]
        if answered:
            raise UsageError(
                f"{self.suspects} has decisions in it, {len(answered):,} rows",
                hint=f"keep them: rename it, for example to {self.decisions}",
            )

    def write(
        self, audited: Audited, rows: Sequence[Mapping[str, object]], figures: Mapping[str, Any]
    ) -> None:
        """Write the suspects and what they are of; a file of decisions stays as it is."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_suspects(self.suspects, rows)
        about = {"form": _FORM, **asdict(audited), "figures": dict(figures)}
        write_text(self.about, json.dumps(about, indent=2) + "\n")

    def read(self) -> Audited:
        """What was audited; `UsageError` where there is no audit, `DataError` for a broken one."""
        about = self._about()
        try:
            names = ("kind", "path", "split", "class_names", "label_set", "options")
            found = Audited(**{name: about[name] for name in names})
            return replace(found, class_names=tuple(found.class_names))
        except (KeyError, TypeError) as fault:
            raise DataError(f"{self.about} is damaged: {reason_of(fault)}") from fault

    def figures(self) -> dict[str, Any]:
        """How many samples were judged, how many are suspects, and what else is known."""
        return dict(self._about().get("figures", {}))

    def read_suspects(self) -> list[dict[str, str]]:
        """The rows of `suspects.csv`, worst first; none where there is no such file."""
        if not self.suspects.is_file():
            return []
        try:
            with self.suspects.open(newline="", encoding="utf-8-sig") as file:
                return list(csv.DictReader(file))
        except (UnicodeDecodeError, csv.Error) as fault:
            raise DataError(f"{self.suspects} is damaged: {reason_of(fault)}") from fault

    def _about(self) -> dict[str, Any]:
        if not self.exists:
            raise UsageError(f"{self.path} holds no audit", hint="make one: eactf audit RUN")
        try:
            about = json.loads(self.about.read_text(encoding="utf-8"))
        except (OSError, ValueError) as fault:
            raise DataError(f"{self.about} is damaged: {reason_of(fault)}") from fault
        return about if isinstance(about, dict) else {}


def audited_listing(audited: Audited) -> Listing:
    """The data of an audit, a run's with the labels that it had; no image is decoded.

    Raises what opening it raises, and `DataError` where its classes are others now.
    """
    path = Path(audited.path)
    listing = _of_run(path) if audited.kind == "run" else _of_data(path, audited)
    if listing.class_names != audited.class_names:
        raise DataError(
            f"{listing.source} has other classes than when it was audited:"
            f" {', '.join(listing.class_names)[:200]}",
            hint="bring the data back as it was, or audit it anew",
        )
    return listing


def _of_data(path: Path, audited: Audited) -> Listing:
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in audited.options.items()
    }
    if "root" in options:
        options["root"] = Path(options["root"])
    listing = open_source(path, SourceOptions(**options))
    if audited.label_set is not None and audited.label_set not in listing.labels:
        raise DataError(f"{path} has no longer the label set {audited.label_set}")
    return listing


def _of_run(folder: Path) -> Listing:
    """A run's data, the training labels as the run had them, planted noise included."""
    recipe = recipe_of_run(folder).recipe
    listing = _of_recipe(recipe)
    if recipe.noise.kind == "none":
        return listing
    return _with_noise(listing, folder)


def _of_recipe(recipe: Recipe) -> Listing:
    if recipe.data.source == "images" and recipe.data.path and holds_images(Path(recipe.data.path)):
        return open_source(Path(recipe.data.path))
    dataset = open_recipe_data(recipe)
    return list_dataset(dataset, Path(recipe.data.path or "drawn-faces.h5"))


def _with_noise(listing: Listing, folder: Path) -> Listing:
    """The listing with the labels of the run's `labels.csv`; what was as given is `clean` then."""
    manifest = NoiseManifest.read_csv(folder / "labels.csv", listing.class_names)
    rows = _rows(listing, manifest.ids, folder)
    given = listing.given.copy()
    given[rows] = manifest.given
    clean = listing.given.copy() if listing.clean is None else listing.clean.copy()
    clean[rows] = manifest.clean
    return replace(listing, given=given, clean=clean)


def _rows(listing: Listing, ids: np.ndarray, folder: Path) -> np.ndarray:
    """The row of each of the run's samples: by id, by name where the data has no ids."""
    if listing.ids is not None:
        place = {int(number): row for row, number in enumerate(listing.ids)}
        keys: list[Any] = ids.tolist()
    else:
        record = RunRecord.read(folder / FILE_NAME)
        names = {} if record is None else dict(zip(record.ids.tolist(), record.names, strict=True))
        place = {str(name): row for row, name in enumerate(listing.names)}  # type: ignore[misc]
        keys = [str(names.get(number, "")) for number in ids.tolist()]
    missing = [key for key in keys if key not in place]
    if missing:
        raise DataError(
            f"{listing.source} has no longer the samples that {folder} was trained on:"
            f" {missing[0]} is gone, {len(missing):,} in all",
            hint="bring the data back as it was",
        )
    return np.array([place[key] for key in keys], np.int64)

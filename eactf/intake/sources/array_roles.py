"""`find_arrays` sorts arrays by split and role: images, label, true label, votes, others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eactf.errors import DataError, UsageError
from eactf.intake.sources.array_names import IMAGES, find_role, sort_by_split
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.stored_array import StoredArray
from eactf.packed.records import MAX_ID

__all__ = ["SplitArrays", "find_arrays", "is_position"]

_POSITIONS = re.compile(r"(.*_)?(ids?|index|indices|rows?|numbers?|groups?)", re.IGNORECASE)

_SHARED = ("class_names", "vote_columns")
"""How arrays are named that have a row a class or a column of votes, not a row an image."""


@dataclass(frozen=True)
class SplitArrays:
    """The arrays of one split (an index into `SPLITS`); `others` by name without the split word.

    All have as many rows as `images`.
    """

    split: int
    images: StoredArray
    label: StoredArray | None
    clean: StoredArray | None
    votes: StoredArray | None
    others: Mapping[str, StoredArray]

    def __len__(self) -> int:
        return len(self.images)

    def label_candidates(self) -> list[str]:
        """The other arrays that may be labels: whole numbers or texts, no positions."""
        return [
            name
            for name, array in self.others.items()
            if array.dtype.kind in "iuUS" and len(array.shape) == 1 and not is_position(name)
        ]


def is_position(name: str) -> bool:
    """Whether a name says that its numbers count rows or files, so that they are no classes."""
    return _POSITIONS.fullmatch(name) is not None


def find_arrays(
    path: Path, stored: Mapping[str, StoredArray], options: SourceOptions
) -> tuple[list[SplitArrays], dict[str, StoredArray]]:
    """The arrays of every split that has images, and the arrays that belong to no split.

    Raises `DataError` where images cannot be told, or where arrays differ in length; `UsageError`
    where `--label` or `--clean` names none.
    """
    splits, others = sort_by_split(stored)
    found = [(split, names) for split, names in splits.items() if find_role("images", names)]
    if not found and find_role("images", others):
        found = [(0, _beside_images(path, others, stored))]
        others = {key: name for key, name in others.items() if key not in found[0][1]}
    if not found:
        raise DataError(
            f"{path} has no array that is named as images are ({', '.join(IMAGES)}, with train_,"
            f" val_ or test_ before or after), but {_shown(stored)}",
            hint="rename the array when saving, for example train_images",
        )
    _check_wishes(path, options, {key for _, names in found for key in names})
    parts = [_part(path, split, names, stored, options) for split, names in found]
    return parts, {key: stored[name] for key, name in others.items()}


def _beside_images(
    path: Path, names: Mapping[str, str], stored: Mapping[str, StoredArray]
) -> dict[str, str]:
    """Of arrays without a split those with a row an image, or a name that says so."""
    rows = len(stored[names[_only(path, "images", names)]])
    roles = {key for role in ("label", "clean", "votes") for key in find_role(role, names)}
    return {
        key: name
        for key, name in names.items()
        if key in roles or (len(stored[name]) == rows and not key.endswith(_SHARED))
    }


def _part(
    path: Path,
    split: int,
    names: Mapping[str, str],
    stored: Mapping[str, StoredArray],
    options: SourceOptions,
) -> SplitArrays:
    roles = _roles(path, names, options)
    arrays = {key: stored[name] for key, name in names.items()}
    images = arrays[roles["images"]]
    if not 0 < len(images) <= MAX_ID:
        raise DataError(f"{path}: {images.name} has no images, its shape is {images.shape}")
    for key in roles.values():
        if len(arrays[key]) != len(images):
            raise DataError(
                f"{path}: {arrays[key].name} has {len(arrays[key]):,} rows,"
                f" {images.name} has {len(images):,}"
            )
    chosen = {role: arrays[key] for role, key in roles.items()}
    return SplitArrays(
        split=split,
        images=images,
        label=chosen.get("label"),
        clean=chosen.get("clean"),
        votes=chosen.get("votes"),
        others={
            key: array
            for key, array in arrays.items()
            if key not in roles.values() and len(array) == len(images)
        },
    )


def _roles(path: Path, names: Mapping[str, str], options: SourceOptions) -> dict[str, str]:
    """The key of each role that an array has; what the user wished goes before what it is named."""
    roles = {"images": _only(path, "images", names)}
    for role, wished in (("label", options.label), ("clean", options.clean), ("votes", None)):
        if role == "clean" and wished == "":
            continue  # none holds the true labels, whatever it is named
        key = wished if wished in names else _only(path, role, names)
        if key and key not in roles.values():
            roles[role] = key
    return roles


def _only(path: Path, role: str, names: Mapping[str, str]) -> str:
    """The key that names a role, "" where none does; `DataError` where several do."""
    found = find_role(role, names)
    if len(found) > 1:
        hint = f"choose one with --{role} NAME" if role in ("label", "clean") else "keep one"
        both = ", ".join(names[key] for key in found)
        raise DataError(f"{path} has several arrays that may be the {role}: {both}", hint=hint)
    return found[0] if found else ""


def _check_wishes(path: Path, options: SourceOptions, names: set[str]) -> None:
    for flag, wished in (("--label", options.label), ("--clean", options.clean)):
        if wished and wished not in names:
            raise UsageError(
                f"{flag} {wished}: {path} has no such array beside its images",
                hint=f"choose from: {', '.join(sorted(names - set(IMAGES)))}",
            )


def _shown(stored: Mapping[str, StoredArray]) -> str:
    return ", ".join(f"{a.name} {a.shape}" for a in list(stored.values())[:20]) or "no array at all"

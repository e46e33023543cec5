"""`SourceOptions` holds what the user may say about a source beyond what its files say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eactf.errors import UsageError
from eactf.intake.votes import RULES

__all__ = ["SourceOptions"]

_FLAGS = {
    "path_column": "--path-column",
    "label": "--label",
    "clean": "--clean",
    "split_column": "--split-column",
    "votes": "--votes",
    "values": "--values",
    "root": "--root",
    "no_links": "--no-links",
    "missing": "--missing",
}
"""The flags of the options that some sources have no use for."""


@dataclass(frozen=True)
class SourceOptions:
    """How to read a source where it cannot be told, or is to be read otherwise.

    `path_column`, `label`, `clean` and `split_column` name columns of a manifest (`label` and
    `clean` also arrays of a file of arrays, without the split's prefix); an empty `clean` says that
    none holds the true labels. `votes` name the columns that count annotators' votes; where no
    `label` is named beside them, `vote_rule` (one of `votes.RULES`) makes the labels of them.
    `values` name further columns or arrays of continuous targets; those called valence and arousal
    are known. `root` is the folder that a manifest's paths start from, its own where None.
    `merge_spellings` makes one class of "Happy" and "happy". `missing` are the labels that stand
    for no label, none where it is empty, those of `missing.MISSING_WORDS` and negative numbers
    where it is None. With `no_links` links to folders are not followed.
    `fewest_classes` is 1 for data that is only judged: a test folder may hold one class alone.
    """

    path_column: str | None = None
    label: str | None = None
    clean: str | None = None
    split_column: str | None = None
    votes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    vote_rule: str = "argmax"
    root: Path | None = None
    merge_spellings: bool = False
    missing: tuple[str, ...] | None = None
    no_links: bool = False
    fewest_classes: int = 2

    def __post_init__(self) -> None:
        if self.vote_rule not in RULES:
            raise UsageError(f"vote rule {self.vote_rule!r}: expected one of {', '.join(RULES)}")

    def refuse(self, source: str, *names: str) -> None:
        """Raise `UsageError` when one of the options `names` is given: `source` has no use for it.

        Without `names` every option of `_FLAGS` counts.
        """
        for name in names or tuple(_FLAGS):
            if getattr(self, name) != getattr(SourceOptions, name):
                raise UsageError(
                    f"{_FLAGS[name]} does not apply to {source}", hint=f"leave {_FLAGS[name]} out"
                )

    def flags(self) -> list[str]:
        """The options as words of a command line; none for those that are as by default."""
        words = []
        flags = {**_FLAGS, "vote_rule": "--vote-rule", "merge_spellings": "--merge-spellings"}
        for name, flag in flags.items():
            value = getattr(self, name)
            if value == getattr(SourceOptions, name):
                continue
            words.append(flag)
            if value is not True:
                words.append(",".join(value) if isinstance(value, tuple) else str(value))
        return words

"""`find_roles` decides what each column of a manifest is, by name, by cells or as the user says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eactf.errors import DataError, UsageError
from eactf.intake.sources.continuous import affect_name
from eactf.intake.sources.manifest.near import Near
from eactf.intake.sources.manifest.tables import Table, example_header, names_an_image
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.splits import split_named
from eactf.suggestions import command_line, did_you_mean

__all__ = ["Roles", "find_roles", "plain"]

_SAMPLE = 200  # how many rows are looked at

# What columns are called, in the order of preference.
# fmt: off
_PATH = (
    "path", "filepath", "file_path", "image_path", "img_path", "imagepath", "relative_path",
    "rel_path", "relpath", "filename", "file_name", "fname", "file", "image_file",
    "image_filename", "image_name", "img_name", "imagename", "imgname", "image", "img", "pth",
    "picture", "photo", "subdirectory_filepath", "image_id", "img_id", "name", "src",
)
_LABEL = (
    "label", "given", "given_label", "noisy_label", "label_name", "class_name", "classname",
    "class", "class_label", "category", "emotion", "emotion_label", "expression",
    "expression_label", "target", "labels", "y",
)
_SPLIT = (
    "split", "usage", "subset", "set", "partition", "phase", "data_split", "split_name",
    "train_test", "tvt", "split_set",
)
_CLEAN = (
    "clean", "clean_label", "true_label", "truelabel", "true_class", "clean_class", "true",
    "gold", "gold_label", "gt", "gt_label", "ground_truth", "groundtruth", "y_true",
    "correct_label", "verified_label",
)
# fmt: on


@dataclass(frozen=True)
class Roles:
    """The columns of a manifest by position.

    `label` is None where votes make the labels; `values` are the continuous targets that the user
    names, `others` are those without a role. `rivals` are
    columns that by their name could have been the label too. `path_by_files` says that the path
    column was told by the files that its cells name.
    """

    names: tuple[str, ...]
    path: int
    label: int | None
    split: int | None
    clean: int | None
    votes: tuple[int, ...]
    values: tuple[int, ...]
    others: tuple[int, ...]
    rivals: tuple[str, ...] = ()
    path_by_files: bool = False

    def positions(self) -> list[int]:
        """All columns that have a role or a name."""
        single = (self.path, self.label, self.split, self.clean)
        several = (*self.votes, *self.values, *self.others)
        return sorted(i for i in (*single, *several) if i is not None)

    def described(self) -> dict[str, str]:
        """The names of the columns that have a role."""
        roles = {"path": self.path, "label": self.label, "split": self.split, "clean": self.clean}
        found = {role: self.names[i] for role, i in roles.items() if i is not None}
        if self.votes:
            found["votes"] = ", ".join(self.names[i] for i in self.votes)
        return found


def find_roles(table: Table, options: SourceOptions, near: Near) -> Roles:
    """Decide what each column is; what `options` name goes before what is told.

    A column whose cells name files in a folder `near` the table is the path column where none is
    named so. Raises `UsageError` for a named column that is not there, `DataError` where the
    images' paths or the labels cannot be told.
    """
    if table.header is None:
        return _roles_by_content(table, options)
    return _Header(table, options, near).roles()


class _Header:
    """The header of a table while its columns are given their roles, each to one."""

    def __init__(self, table: Table, options: SourceOptions, near: Near) -> None:
        self._table, self._options, self._near = table, options, near
        self._path_by_files = False
        self._names = tuple(table.header or ())
        self._sample = table.sample(_SAMPLE)
        self._free = [i for i, name in enumerate(self._names) if name]
        _check_unique(table, self._names)

    def roles(self) -> Roles:
        options = self._options
        votes = tuple(self._named(name, "--votes") for name in options.votes)
        values = tuple(self._named(name, "--values") for name in options.values)
        # What the user names is taken first, so that no guess takes it for something else.
        path = self._chosen(options.path_column, "--path-column")
        label = self._chosen(options.label, "--label")
        split = self._chosen(options.split_column, "--split-column")
        clean = self._chosen(options.clean or None, "--clean")
        path = self._guess_path() if path is None else path
        split = self._guess_split() if split is None else split
        clean = self._guess(_CLEAN) if options.clean is None else clean
        rivals: tuple[str, ...] = ()
        if label is None and not votes:
            label, rivals = self._guess_label()
        others, by_files = tuple(self._free), self._path_by_files
        return Roles(
            self._names, path, label, split, clean, votes, values, others, rivals, by_files
        )

    def _named(self, name: str, flag: str) -> int:
        """Take the column that the user names; its case and blanks need not be as in the file."""
        for match in (str, plain):
            found = [i for i, other in enumerate(self._names) if match(other) == match(name)]
            if len(found) == 1:
                return self._take(found[0])
        raise UsageError(
            f"{flag} {name}: {self._table.path} has no such column; it has {_listed(self._names)}",
            hint=did_you_mean(name, self._names, alike=0.6) or None,
        )

    def _chosen(self, name: str | None, flag: str) -> int | None:
        return None if name is None else self._named(name, flag)

    def _take(self, index: int) -> int:
        if index not in self._free:
            raise UsageError(f"the column {self._names[index]!r} is named for two things")
        self._free.remove(index)
        return index

    def _known(self, names: Sequence[str]) -> list[int]:
        by_name = {plain(self._names[i]): i for i in reversed(self._free)}
        return [by_name[name] for name in names if name in by_name]

    def _guess(self, names: Sequence[str]) -> int | None:
        known = self._known(names)
        return self._take(known[0]) if known else None

    def _guess_path(self) -> int:
        """The column of the images' paths.

        It is first looked for by its name or by names of images in it, and taken if its files are
        there; else any column is taken whose cells name files that are there; else the former.
        """
        images = [i for i in self._free if self._share(i, names_an_image) > 0.5]
        known = self._known(_PATH)
        named = next(iter([*(i for i in known if i in images), *known, *images]), None)
        if named is not None and self._near.tell_files(self._cells(named)):
            return self._take(named)
        by_files = self._columns_of_files()
        if by_files:
            self._path_by_files = True
            return self._take(by_files[0])
        if named is not None:
            return self._take(named)
        raise DataError(
            f"{self._table.path}, line 1: no column with the images' paths can be told;"
            f" the columns are {_listed(self._names)}",
            hint=_pixels_hint(self._table)
            or "name it: --path-column NAME; and, where its files lie in another folder, that:"
            " --root FOLDER",
        )

    def _columns_of_files(self) -> list[int]:
        """The columns whose cells are all different, or nearly so, and name files near the table.

        Raises `DataError` where there are several that name different files.
        """
        labels = self._known(_LABEL)
        found = [
            i
            for i in self._free
            if i not in labels and self._tells_apart(i) and self._near.tell_files(self._cells(i))
        ]
        if len({tuple(self._cells(i)) for i in found}) > 1:
            names = [self._names[i] for i in found]
            raise DataError(
                f"{self._table.path}, line 1: the cells of {' and of '.join(names)} are names of"
                " files that are there; which are meant cannot be told",
                hint=f"choose one: --path-column {names[0]}, or --path-column {names[1]}",
            )
        return found

    def _cells(self, index: int) -> list[str]:
        return [row[index] for row in self._sample if row[index]]

    def _tells_apart(self, index: int) -> bool:
        cells = self._cells(index)
        return len(set(cells)) > len(cells) / 2

    def _guess_split(self) -> int | None:
        known = [i for i in self._known(_SPLIT) if self._share(i, _is_split) > 0]
        return self._take(known[0]) if known else None

    def _guess_label(self) -> tuple[int, tuple[str, ...]]:
        known = self._known(_LABEL)
        if not known:
            likely = [i for i in self._free if affect_name(self._names[i]) is None] or self._free
            known = list(likely) if len(likely) == 1 else []
        if known:
            label = self._take(known[0])
            return label, tuple(self._names[i] for i in known[1:])
        raise DataError(
            f"{self._table.path}, line 1: no column with the labels can be told;"
            f" the columns are {_listed(self._names)}",
            hint=self._label_hint(),
        )

    def _label_hint(self) -> str:
        numeric = [self._names[i] for i in self._free if self._share(i, _is_count) == 1]
        if len(numeric) < 2:
            return "name it: --label NAME"
        return (
            "name it: --label NAME; or, where columns count annotators' votes:"
            f" {command_line('--votes', ','.join(numeric))}"
        )

    def _share(self, index: int, test: Callable[[str], bool]) -> float:
        """The share of filled cells of the sample that pass `test`."""
        cells = self._cells(index)
        return sum(map(test, cells)) / len(cells) if cells else 0.0


def _roles_by_content(table: Table, options: SourceOptions) -> Roles:
    """The roles in a table without a header: one column of images and one of labels."""
    options.refuse(f"{table.path}: it has no header", "path_column", "label", "clean")
    options.refuse(f"{table.path}: it has no header", "split_column", "votes", "values")
    columns = list(zip(*table.sample(_SAMPLE), strict=True))
    images = [i for i, cells in enumerate(columns) if all(map(names_an_image, filter(None, cells)))]
    rest = [i for i in range(table.width) if i not in images]
    splits = [i for i in rest if all(map(_is_split, filter(None, columns[i])))]
    if len(rest) == 2 and len(splits) == 1:
        rest.remove(splits[0])
    if len(images) != 1 or len(rest) != 1:
        raise DataError(
            f"{table.path}, line 1: {table.width} columns without a header cannot be told apart",
            hint="write a first line that names them, for example: "
            + example_header(table.sample(1)[0], table.delimiter or " "),
        )
    names = tuple(f"column {i + 1}" for i in range(table.width))
    split = splits[0] if len(splits) == 1 and splits != rest else None
    return Roles(names, images[0], rest[0], split, None, (), (), ())


def _check_unique(table: Table, names: Sequence[str]) -> None:
    twice = [name for i, name in enumerate(names) if name and name in names[:i]]
    if twice:
        raise DataError(
            f"{table.path}, line 1: two columns are named {twice[0]!r}", hint="rename one of them"
        )


def plain(name: str) -> str:
    """A column's name without case, blanks and signs: `Image Name` and `image_name` are one."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def _is_split(cell: str) -> bool:
    return split_named(cell) is not None


def _is_count(cell: str) -> bool:
    return re.fullmatch(r"\d+([.,]\d*)?", cell) is not None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name for name in names if name)
    return shown if len(shown) <= 300 else shown[:300] + " ..."


def _pixels_hint(table: Table) -> str | None:
    if "pixels" in map(plain, table.header or ()):
        return f"its faces are numbers in the table: eactf data pack fer2013 {table.path}"
    return None

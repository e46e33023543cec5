"""Here stands every question of the wizard: its words, its default, and how an answer is read."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf.intake.findings import Finding
from eactf.intake.fingerprint import Fingerprint
from eactf.intake.sources.clean_flags import CleanOrFlagError
from eactf.wizard.choices import Choice
from eactf.wizard.label_rules import GIVEN

__all__ = [
    "FLAGS",
    "KEYS",
    "Question",
    "ask_clean",
    "ask_data",
    "ask_labels",
    "ask_merge",
    "ask_minutes",
    "ask_missing",
    "ask_pack",
    "ask_quality",
    "ask_recipe",
    "ask_write",
]

KEYS = (
    "data",
    "clean",
    "merge",
    "missing",
    "labels",
    "quality",
    "minutes",
    "recipe",
    "pack",
    "write",
)
"""Every question there is, in the order of asking; most runs ask five or six of them."""

TRUE_LABELS, FLAGS = "true labels", "right or wrong"
"""The two readings of a column `clean` of two values."""

QUALITIES = ("clean", "some", "many", "measure")
FEWEST_TO_MEASURE = 500
MOST_MISSING_UNASKED = 0.05
"""Share of the images up to which labels that look like missing ones are left out unasked."""

MOST_MINUTES = 7 * 24 * 60
_UNITS = {"": 1.0, "m": 1.0, "min": 1.0, "minute": 1.0, "minutes": 1.0}
_UNITS |= {"h": 60.0, "hour": 60.0, "hours": 60.0, "d": 1440.0, "day": 1440.0, "days": 1440.0}


@dataclass(frozen=True)
class Question:
    """One question.

    `hint` says what may be answered, `default` is the answer of an empty line (None: there is
    none), `reason` why it is the default, `more` what `?` shows. `parse` turns an answer into a
    value; it raises `ValueError` that says what is expected.
    """

    key: str
    text: str
    hint: str
    default: str | None
    reason: str
    more: str
    parse: Callable[[str], Any]


def ask_data() -> Question:
    """Where the images are; asked where the command line does not say."""
    return Question(
        key="data",
        text="Where are the images?",
        hint="a folder, a .csv or .tsv, an .npz or .h5",
        default=None,
        reason="nothing in it is changed",
        more="A folder with a folder a class (perhaps in train/, validation/ and test/), a CSV or "
        "TSV file with the columns path and label, NumPy or HDF5 arrays, or a file made by "
        "'eactf data pack'.",
        parse=_existing_path,
    )


def ask_clean(doubt: CleanOrFlagError) -> Question:
    """What a column or array named as true labels are, but of two values, is."""
    values = " and ".join(doubt.values)
    return Question(
        key="clean",
        text=f"What is '{doubt.name}', which has only {values}?",
        hint=f"{TRUE_LABELS}, {FLAGS} (it says whether a label is right)",
        default=FLAGS,
        reason=f"there are {doubt.classes} classes",
        more=f"{TRUE_LABELS}: the right class of each image, by which the labels are judged. "
        f"{FLAGS}: whether the label is right; it is kept as a column, and no label is judged by "
        "it. The same is said by --clean NAME, and by --clean ''.",
        parse=lambda text: one_of(text, (TRUE_LABELS, FLAGS)),
    )


def ask_merge(spellings: Sequence[Finding]) -> Question | None:
    """Whether classes that differ in spelling alone are one; None where there are none."""
    if not spellings:
        return None
    shown = "; ".join(" = ".join(f"'{name}'" for name in found.files) for found in spellings)
    return Question(
        key="merge",
        text=f"Are these the same class?  {shown}",
        hint="yes, no",
        default="yes",
        reason="they differ in capitals, blanks or underscores alone",
        more="Joined, they count under the spelling that is most frequent. Your files stay as "
        "they are; the joining is done while packing.",
        parse=yes_or_no,
    )


def ask_missing(said: Mapping[str, int], images: int) -> Question | None:
    """Whether labels such as NA or -1 stand for no label; None where that concerns few images.

    `said` is how often each of them occurs among the labels of `images`.
    """
    count = sum(said.values())
    if count <= MOST_MISSING_UNASKED * images:
        return None
    shown = ", ".join(f"'{text}' ({often:,})" for text, often in said.items())
    return Question(
        key="missing",
        text=f"Do these labels say that there is no label?  {shown}",
        hint="yes, no",
        default="yes",
        reason=f"it is what they usually say; {count:,} of {images:,} images are left out then",
        more="no makes a class of each of them. To have only some of them stand for no label, start"
        " again with --missing and these, with commas between.",
        parse=yes_or_no,
    )


def ask_labels(fingerprint: Fingerprint) -> Question | None:
    """Which labels to train on; None where there is one set of them."""
    names = tuple(fingerprint.label_sets)
    if not names:
        return None
    shares = ", ".join(
        f"{name} differs in {share:.1%}" for name, share in fingerprint.label_sets.items()
    )
    return Question(
        key="labels",
        text="Which labels to train on?",
        hint=", ".join((GIVEN, *names)),
        default=GIVEN,
        reason=f"{shares} of the images",
        more="Choose another set to see how training bears its mistakes: the labels as given then "
        "count as the true ones, by which validation and test are judged. Votes of several people "
        "are joined by the rule that --vote-rule names.",
        parse=lambda text: one_of(text, (GIVEN, *names)),
    )


def ask_quality(fingerprint: Fingerprint, *, can_measure: bool) -> Question:
    """How far the labels can be trusted; decides the method."""
    train = fingerprint.splits["train"]
    default = "measure"
    reason = "quick networks judge images they were not trained on; it takes minutes"
    if not can_measure:
        default, reason = "some", "most collected labels are partly wrong; nothing is measured here"
    elif train < FEWEST_TO_MEASURE:
        default, reason = "some", f"{train:,} training images are too few to measure on"
    return Question(
        key="quality",
        text="Are the labels right?",
        hint="clean, some (are wrong), many (are wrong)" + (", measure" if can_measure else ""),
        default=default,
        reason=reason,
        more="clean: plain cross-entropy, half the time a step. some, many: Erasing Attention "
        "Consistency, which keeps a network from learning wrong labels by heart."
        + (
            " measure: 'eactf data noise' estimates the share first, and its advice is followed."
            " Labels that people made are told best by checking a hundred of them before:"
            " 'eactf data noise PATH --checked 100'; the answers are used here."
            if can_measure
            else ""
        ),
        parse=lambda text: one_of(text, QUALITIES if can_measure else QUALITIES[:-1]),
    )


def ask_minutes(usual: Choice[int], device: str) -> Question:
    """How long training may take; decides network and epochs."""
    return Question(
        key="minutes",
        text="How many minutes may training take?",
        hint="30, 2 h",
        default=str(usual.value),
        reason=f"{usual.reason} on {device}, by estimate",
        more="More time buys more epochs up to the paper's 60, then a larger network where the "
        "number of images is worth one. A training step is timed on this machine before the "
        "plan is shown, unless --no-measure says not to.",
        parse=minutes,
    )


def ask_recipe(folder: Path, *, overwrite: bool) -> Question:
    """The file to write the recipe to."""
    default = "my-data.yaml" if overwrite else _free_name(folder)
    taken = "" if default == "my-data.yaml" else "the names before it are taken; "
    return Question(
        key="recipe",
        text="Name of the recipe file?",
        hint="a name, or a path",
        default=default,
        reason=f"{taken}it is plain YAML, to be read and changed",
        more="One file is one complete experiment. Every line says where its value came from. The "
        "run will be in the folder runs/ under the same name.",
        parse=lambda text: new_file(text, ".yaml", ".yml", overwrite=overwrite),
    )


def ask_pack(recipe: Path, size: str, *, source: Path, needed: str, overwrite: bool) -> Question:
    """Whether and where to pack the images of `source`, which is itself never overwritten.

    `needed` says why a recipe cannot do without packing, empty if it can.
    """

    def is_free(path: Path) -> bool:
        return not path.exists() or (overwrite and not path.samefile(source))

    default = next(path for path in _numbered(recipe.with_suffix(".h5")) if is_free(path))

    def parse(text: str) -> Path | None:
        if text.lower() in ("n", "no", "false"):
            if needed:
                raise ValueError(f"yes or the name of a .h5 file: {needed}")
            return None
        if text.lower() in ("y", "yes", "true"):
            return new_file(str(default), ".h5", overwrite=overwrite)
        if not text.lower().endswith(".h5"):
            raise ValueError("yes, no, or a file name that ends in .h5")
        path = new_file(text, ".h5", overwrite=overwrite)
        if not is_free(path):
            raise ValueError(f"a new name; {path} holds the images themselves")
        return path

    return Question(
        key="pack",
        text="Pack the images into one file?",
        hint="yes, no, or a name.h5",
        default="yes",
        reason=needed or f"{default.name}, {size}; a run then starts at once",
        more="Packed images lie decoded, at the size they are trained on. Without packing every "
        "run decodes all images first. Your own files stay as they are.",
        parse=parse,
    )


def ask_write(files: Sequence[Path]) -> Question:
    """The last question: whether to go ahead."""
    names = " and ".join(path.name for path in files)
    return Question(
        key="write",
        text=f"Write {names}?",
        hint="yes, no",
        default="yes",
        reason="nothing has been written so far",
        more="no ends here. Any key of the recipe can be changed in the file later, or for one "
        "run by --set KEY=VALUE.",
        parse=yes_or_no,
    )


def yes_or_no(text: str) -> bool:
    """Read a yes or a no, or the true and false of an answers file."""
    answer = one_of(text, ("yes", "no", "true", "false"))
    return answer in ("yes", "true")


def one_of(text: str, choices: Sequence[str]) -> str:
    """Read one of some words, in any case, or an unmistakable beginning of one."""
    exact = [choice for choice in choices if choice.lower() == text.lower()]
    near = [choice for choice in choices if choice.lower().startswith(text.lower())]
    found = exact or near
    if len(found) != 1 or not text:
        raise ValueError(f"one of {', '.join(choices)}")
    return found[0]


def minutes(text: str) -> int:
    """Read a time: `30`, `90 min`, `2 h`, `1.5 hours`; whole minutes, a week at most."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ").rstrip()
    unit = text[len(number) :].strip().lower()
    try:
        found = round(float(number) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        raise ValueError("a number of minutes such as 30, or 2 h") from None
    if not 1 <= found <= MOST_MINUTES:
        raise ValueError(f"1 to {MOST_MINUTES:,} minutes")
    return found


def new_file(text: str, *suffixes: str, overwrite: bool) -> Path:
    """Read the name of a file to write, and give it the first of `suffixes` where it has none.

    Its folder must be there and take new files; the file must not be there, unless it is to be
    overwritten.
    """
    path = Path(text).expanduser()
    if not path.name or path.name.lower() in suffixes:
        raise ValueError(f"a file name that ends in {suffixes[0]}")
    if path.suffix.lower() not in suffixes:
        path = path.with_name(path.name + suffixes[0])
    if not path.parent.is_dir():
        raise ValueError(f"a file in a folder that is there; {path.parent} is not")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"a file in a folder that may be written to; {path.parent} may not")
    if path.is_dir() or (path.exists() and not overwrite):
        raise ValueError(f"a new name; {path} exists (--overwrite would replace it)")
    return path


def _existing_path(text: str) -> Path:
    if not text:
        raise ValueError("a folder or file that is there")
    path = Path(text).expanduser()
    if not path.exists():
        path = Path(_unquoted(text)).expanduser()
    if not path.exists():
        raise ValueError(f"a folder or file that is there; there is no {text}")
    return path


def _unquoted(text: str) -> str:
    """A path without the quotes or backslashes of one dragged into a terminal."""
    try:
        words = shlex.split(text)
    except ValueError:
        return text
    return words[0] if len(words) == 1 else text


def _free_name(folder: Path) -> str:
    """A name that neither a recipe has yet nor the packed file that goes with it."""
    return next(
        path.name
        for path in _numbered(folder / "my-data.yaml")
        if not path.exists() and not path.with_suffix(".h5").exists()
    )


def _numbered(path: Path) -> Iterator[Path]:
    """The path, then `-2`, `-3`, ... before its suffix."""
    yield path
    for number in itertools.count(2):
        yield path.with_stem(f"{path.stem}-{number}")

"""The catalogue names the published data sets and loads the reader of one when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from eactf.errors import UsageError
from eactf.intake.listing import Listing
from eactf.intake.readers.card import Card
from eactf.packed.records import Dataset

__all__ = ["NAMES", "all_cards", "card", "open_dataset", "published_name"]

_MODULES = {
    "ferplus": "ferplus_card",
    "raf-db": "raf_db",
    "affectnet": "affectnet",
    "fer2013": "fer2013",
    "cifar-10": "cifar",
    "cifar-100": "cifar",
    "cifar-10n": "cifar_n",
    "cifar-100n": "cifar_n",
    "tiny-imagenet": "tiny_imagenet",
    "fashion-mnist": "fashion_mnist",
}

NAMES = tuple(_MODULES)
"""The data sets' names; each but `ferplus`, which has two files and no folder, can be opened."""

_Reader = Callable[..., Listing]


def card(name: str) -> Card:
    """The card of a data set. Raises `UsageError` for a name that is none."""
    return _entry(name)[0]


def all_cards() -> tuple[Card, ...]:
    """The cards of all data sets, in the order of `NAMES`."""
    return tuple(card(name) for name in NAMES)


def published_name(dataset: Dataset) -> str | None:
    """Which published data set was packed, None for data of the user's own."""
    if dataset.source.startswith("FERPlus"):
        return "ferplus"
    titles = {card.title: card.name for card in all_cards()}
    return titles.get(str(dataset.notes.get("dataset")))


def open_dataset(name: str, path: str | Path, options: Mapping[str, str] | None = None) -> Listing:
    """List the samples of the published data set `name`, whose files lie in the folder `path`.

    For a data set of a single file that file will do. `options` are settings of its card by name.
    Raises `UsageError` for a name, an option or a path that is none, `DataError` where the files
    are not as published.
    """
    found, reader = _entry(name)
    if reader is None:
        raise UsageError(
            f"{name} has no folder to open", hint=f"pack it with: eactf data pack {name} --help"
        )
    path = Path(path)
    if not (path.is_dir() or (found.takes == "FILE" and path.is_file())):
        what = "is no folder" if path.exists() else "does not exist"
        raise UsageError(
            f"{path} {what}: expected the {found.takes.lower()} of {found.title}",
            hint=f"what it must hold: eactf data list {name}",
        )
    return reader(path, **_settings(found, options or {}))


def _settings(found: Card, options: Mapping[str, str]) -> dict[str, str]:
    known = {option.name: option for option in found.options}
    for name, value in options.items():
        if name not in known:
            raise UsageError(
                f"{found.name} has no option {name}",
                hint=f"it has: {', '.join(known) or 'none'}",
            )
        choices = known[name].choices
        if choices and value not in choices:
            raise UsageError(f"{name} {value!r}: expected one of {', '.join(choices)}")
    defaults = {option.name: option.default for option in found.options}
    return {name.replace("-", "_"): value for name, value in (defaults | dict(options)).items()}


def _entry(name: str) -> tuple[Card, _Reader | None]:
    if name not in _MODULES:
        raise UsageError(f"there is no data set {name!r}", hint=f"choose from: {', '.join(NAMES)}")
    module = importlib.import_module(f"eactf.intake.readers.{_MODULES[name]}")
    found: tuple[Card, _Reader | None] = module.DATASETS[name]
    return found

"""A fingerprint describes a data set in a few numbers, from which the wizard plans a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from eactf.intake.duplicates import Duplicates, find_duplicates
from eactf.intake.listing import Listing
from eactf.intake.scan import Scan
from eactf.packed.records import SPLITS

__all__ = ["Fingerprint", "Measured", "Spread", "take_fingerprint"]


class Spread(NamedTuple):
    """The least, the middle and the largest of some whole numbers; zeros where there are none."""

    least: int
    median: int
    most: int


@dataclass(frozen=True)
class Measured:
    """A continuous target: how many samples have it, and its range; None where none has it."""

    known: int
    least: float | None
    mean: float | None
    most: float | None


@dataclass(frozen=True)
class Fingerprint:
    """The facts of a data set as a whole.

    `images` are all that are listed. Usable are those that decode and have a label: `splits` and
    `class_counts` (split, then class; every class of the listing, 0 included) count these alone,
    and hold only splits that have any. `unlabelled` decode but have no label; `bad` are those that
    do not decode, by reason.

    `widths`, `heights` and `short_side` are upright pixels, `aspect` the least and the largest
    width over height. `grey_share` is the share of images without a colour, `formats` and `modes`
    count Pillow's names, `turned` are turned by EXIF, `animated` have more than one frame.

    `exact_duplicates` are copies beyond the first of `duplicate_groups`; `across_splits` of these
    groups have members in several splits, `contradicting` of them several labels.
    `near_duplicates` are images nearly equal to another one that is kept; not counted among the
    exact ones. `flat` images have one colour.

    Of the training split (of all where there is none): `imbalance` is the largest over the smallest
    class that is not empty; `label_sets` gives for each further label set the share of samples
    where it differs from the given label; `clean_known` samples have a known true label,
    `wrong_share` of these have another one given (None where none is known). `votes` says whether
    the annotators' votes are known. `values` describes the continuous targets of the usable samples
    of all splits. `bytes_on_disk` are the files as they are now.
    """

    kind: str
    source: str
    images: int
    splits: Mapping[str, int]
    class_names: tuple[str, ...]
    class_counts: Mapping[str, Mapping[str, int]]
    unlabelled: int
    bad: Mapping[str, int]
    widths: Spread
    heights: Spread
    short_side: Spread
    same_size: bool
    aspect: tuple[float, float]
    grey_share: float
    formats: Mapping[str, int]
    modes: Mapping[str, int]
    turned: int
    animated: int
    exact_duplicates: int
    duplicate_groups: int
    across_splits: int
    contradicting: int
    near_duplicates: int
    flat: int
    imbalance: float
    label_sets: Mapping[str, float]
    clean_known: int
    wrong_share: float | None
    votes: bool
    bytes_on_disk: int
    values: Mapping[str, Measured] = field(default_factory=dict)

    @property
    def usable(self) -> int:
        """How many images decode and have a label."""
        return sum(self.splits.values())

    @property
    def grey(self) -> bool:
        """True where no image has a colour."""
        return self.grey_share == 1.0

    def packed_bytes(self, height: int, width: int, channels: int) -> int:
        """Bytes that the usable images take when packed at a size, in a file or in memory."""
        return self.usable * height * width * channels

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, as JSON has them."""
        spreads = {
            name: getattr(self, name)._asdict() for name in ("widths", "heights", "short_side")
        }
        return {**asdict(self), **spreads, "usable": self.usable}


def take_fingerprint(
    listing: Listing, scan: Scan, duplicates: Duplicates | None = None
) -> Fingerprint:
    """The fingerprint of a listing that was scanned; `duplicates` are found where not given."""
    duplicates = duplicates or find_duplicates(scan)
    return Fingerprint(
        kind=listing.kind,
        source=str(listing.source),
        images=len(listing),
        class_names=tuple(listing.class_names),
        bad=_counts(np.array([row.reason for row in scan.bad])),
        votes=listing.votes is not None,
        bytes_on_disk=sum(map(listing.images.bytes_on_disk, range(len(listing)))),
        **_labels(listing, scan),
        **_pixels(scan),
        **_copies(listing, duplicates),
    )


def _labels(listing: Listing, scan: Scan) -> dict[str, Any]:
    usable = scan.good & (listing.given >= 0)
    counts = {
        split: np.bincount(
            listing.given[usable & (listing.splits == index)], minlength=len(listing.class_names)
        )
        for index, split in enumerate(SPLITS)
    }
    counts = {split: count for split, count in counts.items() if count.any()}
    clean = np.full(len(listing), -1) if listing.clean is None else listing.clean
    is_training = listing.splits == SPLITS.index("train")
    trained = usable & (is_training | (not is_training.any()))
    known = trained & (clean >= 0)
    return {
        "splits": {split: int(count.sum()) for split, count in counts.items()},
        "class_counts": {
            split: dict(zip(listing.class_names, count.tolist(), strict=True))
            for split, count in counts.items()
        },
        "unlabelled": int((scan.good & (listing.given < 0)).sum()),
        "imbalance": _imbalance(counts.get("train", sum(counts.values()))),
        "label_sets": {
            name: _share((labels != listing.given)[trained & (labels >= 0)])
            for name, labels in listing.labels.items()
        },
        "clean_known": int(known.sum()),
        "wrong_share": _share((clean != listing.given)[known]) if known.any() else None,
        "values": {name: _measured(values[usable]) for name, values in listing.values.items()},
    }


def _measured(values: np.ndarray) -> Measured:
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return Measured(0, None, None, None)
    least, mean, most = (round(float(x), 4) for x in (known.min(), known.mean(), known.max()))
    return Measured(len(known), least, mean, most)


def _imbalance(counts: Any) -> float:
    filled = np.asarray(counts)[np.asarray(counts) > 0]
    return round(float(filled.max() / filled.min()), 2) if len(filled) else 1.0


def _pixels(scan: Scan) -> dict[str, Any]:
    width, height = scan.width[scan.good], scan.height[scan.good]
    aspect = width / height if len(width) else np.ones(1)
    return {
        "widths": _spread(width),
        "heights": _spread(height),
        "short_side": _spread(np.minimum(width, height)),
        "same_size": len(set(zip(width.tolist(), height.tolist(), strict=True))) <= 1,
        "aspect": (round(float(aspect.min()), 4), round(float(aspect.max()), 4)),
        "grey_share": _share(scan.grey[scan.good]),
        "formats": _counts(scan.format[scan.good]),
        "modes": _counts(scan.mode[scan.good]),
        "turned": int(scan.turned.sum()),
        "animated": int((scan.frames > 1).sum()),
        "flat": int(scan.flat.sum()),
    }


def _copies(listing: Listing, duplicates: Duplicates) -> dict[str, Any]:
    groups = duplicates.exact_groups()
    return {
        "exact_duplicates": sum(len(rows) - 1 for rows in groups),
        "duplicate_groups": len(groups),
        "across_splits": sum(len(set(listing.splits[rows].tolist())) > 1 for rows in groups),
        "contradicting": sum(
            len({label for label in listing.given[rows].tolist() if label >= 0}) > 1
            for rows in groups
        ),
        "near_duplicates": sum(len(rows) - 1 for rows in duplicates.near_groups()),
    }


def _spread(values: np.ndarray) -> Spread:
    if not len(values):
        return Spread(0, 0, 0)
    return Spread(int(values.min()), int(np.median(values)), int(values.max()))


def _share(flags: np.ndarray) -> float:
    return round(float(flags.mean()), 4) if len(flags) else 0.0


def _counts(values: np.ndarray) -> dict[str, int]:
    """How often each value comes, the most frequent first."""
    names, counts = np.unique(values, return_counts=True)
    order = np.lexsort((names, -counts))
    return {str(names[index]): int(counts[index]) for index in order}

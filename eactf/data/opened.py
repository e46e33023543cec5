"""This module opens the data set at a path and packs it for this one run where need be."""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py

from eactf import console
from eactf.intake.advice import hints_lead_to_packing, pack_command
from eactf.intake.listing import Listing
from eactf.intake.pack_report import PackReport
from eactf.intake.packing import pack
from eactf.intake.sources import SourceOptions, open_source
from eactf.intake.sources.packed import is_packed
from eactf.intake.telling import tell_classes, tell_findings
from eactf.intake.verdict import look_through, refuse_errors, without_training
from eactf.packed import open_packed
from eactf.packed.records import Dataset
from eactf.progress import counting
from eactf.wording import counted

__all__ = ["data_settings", "holds_images", "open_data"]

_HDF5 = (".h5", ".hdf5", ".hdf")


def holds_images(path: Path) -> bool:
    """Whether `path` is something to be packed first; False for what is not there."""
    if path.is_file() and h5py.is_hdf5(path):
        return not is_packed(path)
    return path.is_dir() or (path.exists() and path.suffix.lower() not in _HDF5)


def data_settings(path: Path | None) -> dict[str, tuple[object, str]]:
    """What `--data PATH` sets in a recipe: the path, and whether it is packed data or images."""
    if path is None:
        return {}
    source = "images" if holds_images(path) else "packed"
    return {"data.path": (str(path.absolute()), "--data"), "data.source": (source, "--data")}


def open_data(
    path: Path,
    *,
    options: SourceOptions | None = None,
    size: int | None = None,
    channels: int | None = None,
    max_bad: float = 0.01,
    fewest_classes: int = 2,
    looked_through: bool = False,
) -> Dataset:
    """Open a packed file, or pack a folder, manifest or file of arrays and open what comes out.

    `options` say how to read images, the others how to pack them; where a caller's user cannot give
    such options (None), a hint at one leads to the command that packs with it. `fewest_classes` is
    1 for images that are only judged; with `looked_through` the caller has told the findings, and
    the images are not looked at once more. The packed copy lies among the temporary files and is
    nameless as soon as it is open: the system frees it when the process ends, however it does.
    Raises `UsageError`, `DataError` or `UnsafeFileError`.
    """
    if not holds_images(path):
        (options or SourceOptions()).refuse("a packed data set")
        return open_packed(path)
    reads = options or SourceOptions(fewest_classes=fewest_classes)
    with hints_lead_to_packing(path, reads=options is not None):
        listing = open_source(path, reads)
        if not looked_through:
            _look(listing, path, reads, max_bad)
        return _packed_now(listing, path, reads, size, channels, max_bad)


def _look(listing: Listing, path: Path, options: SourceOptions, max_bad: float) -> None:
    """Tell what there is to find in the images, and refuse the errors."""
    with counting("looking") as progress:
        findings = look_through(listing, max_bad=max_bad, progress=progress)
    if options.fewest_classes < 2:
        findings = without_training(findings)
    tell_findings(findings, path, options)
    refuse_errors(findings, path, options=options)


def _packed_now(
    listing: Listing,
    path: Path,
    options: SourceOptions,
    size: int | None,
    channels: int | None,
    max_bad: float,
) -> Dataset:
    console.say(
        f"packing the {counted(len(listing), 'image')} of {path} for this run; to do it once:"
        f" {pack_command(path, *options.flags())}",
        markup=False,
    )
    # Windows does not delete what is open; elsewhere nothing is left for errors.
    with tempfile.TemporaryDirectory(prefix="eactf-", ignore_cleanup_errors=True) as folder:
        out = Path(folder) / "images.h5"
        report = pack(listing, out, size=size, channels=channels, max_bad=max_bad, keep_list=False)
        dataset = open_packed(out)
    _tell(report)
    return dataset


def _tell(report: PackReport) -> None:
    console.say()
    tell_classes(report)
    left_out = dict(report.reasons)
    if report.unlabelled:
        left_out["no label that is known"] = report.unlabelled
    for reason, count in left_out.items():
        console.warn(f"{counted(count, 'image is', 'images are')} left out: {reason}")
    for remark in report.remarks:
        console.warn(remark)

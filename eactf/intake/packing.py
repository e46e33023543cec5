"""`pack` turns a listing of the user's own files into one packed file with images of one shape.

Images are decoded in threads and written in the order of the listing, a few batches at a time, so
that memory does not grow with their number. An image that cannot be used is left out and listed;
no other takes its place.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.intake.decode import as_array, quiet_pillow, upright
from eactf.intake.headers import Form, choose_form
from eactf.intake.listing import BadImage, Images, Listing
from eactf.intake.pack_report import PackReport, empty_parts
from eactf.intake.parallel import batch_size, in_order
from eactf.intake.quarantine import (
    TooManyBad,
    check_quarantine,
    quarantine_path,
    refuse_too_many,
    write_quarantine,
)
from eactf.intake.room import room_for
from eactf.intake.scan import BadRow
from eactf.packed import PackedWriter
from eactf.packed.identity import IdMaker
from eactf.packed.layout import MAX_CELL, MAX_COLUMNS
from eactf.packed.names import fitting_columns, plain_set_names
from eactf.packed.records import SPLITS
from eactf.packed.values import check_destination, vote_type
from eactf.suggestions import command_line

__all__ = ["PackReport", "check_request", "pack"]

_BATCH_BYTES = 2**20

Progress = Callable[[int, int], None]


def pack(
    listing: Listing,
    out: str | Path,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    max_bad: float = 0.01,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    keep_list: bool = True,
) -> PackReport:
    """Pack the labelled images of `listing` into the file `out`.

    `size` is a side or (height, width), `channels` 1 or 3; None takes them from the images (see
    `headers.choose_form`). Images that cannot be used are listed in `NAME.quarantine.csv` beside
    `out` (unless `keep_list` is off); where they are more than the share `max_bad` of the labelled
    nothing else is written. `progress(done, total)` is called from the calling thread and may
    raise, which leaves nothing behind.

    Raises `UsageError` for settings out of range and an `out` that exists, or that is the listing's
    own source; `DataError` for too many bad images, for images without labels and for a disk that
    is too small.
    """
    out = Path(out)
    shape = check_request(
        listing,
        out,
        size=size,
        channels=channels,
        max_bad=max_bad,
        overwrite=overwrite,
        keep_list=keep_list,
    )
    listed = quarantine_path(out) if keep_list else None
    rows = np.flatnonzero(listing.given >= 0)
    steps = _Steps(progress, len(rows), headers=not (shape and channels))
    with quiet_pillow():
        form = choose_form(
            listing.images,
            rows,
            size=shape,
            channels=channels,
            workers=workers,
            progress=steps.headers,
        )
        _check_disk(out, form, len(rows))
        return _Packing(listing, rows, out, form).run(max_bad, listed, overwrite, workers, steps)


def check_request(
    listing: Listing,
    out: Path,
    *,
    size: int | tuple[int, int] | None,
    channels: int | None,
    max_bad: float,
    overwrite: bool,
    keep_list: bool = True,
) -> tuple[int, int] | None:
    """The (height, width) asked for, None for none; raises what `pack` does before it decodes."""
    shape = _check_settings(size, channels, max_bad)
    check_destination(out, overwrite)
    if out.exists() and out.samefile(listing.source):
        raise UsageError(
            f"{out} holds the images themselves, which are never overwritten",
            hint="choose another name",
        )
    if keep_list:
        check_quarantine(quarantine_path(out), overwrite)
    if not (listing.given >= 0).any():
        raise DataError(f"{listing.source}: no image has a label", hint=_check_command(listing))
    return shape


def _check_command(listing: Listing) -> str:
    return f"see what was found: {command_line('eactf', 'data', 'check', Path(listing.source))}"


def _check_settings(
    size: int | tuple[int, int] | None, channels: int | None, max_bad: float
) -> tuple[int, int] | None:
    shape = (size, size) if isinstance(size, int) else size
    if shape is not None and not all(1 <= side <= 4096 for side in shape):
        raise UsageError(f"size {shape[0]} x {shape[1]}: expected sides of 1 to 4,096 pixels")
    if channels not in (None, 1, 3):
        raise UsageError(f"channels {channels}: expected 1 for grey or 3 for colour")
    if not 0 <= max_bad <= 1:
        raise UsageError(
            f"max-bad {max_bad:g}: expected a share from 0 to 1", hint="for one percent write 0.01"
        )
    return shape


def _check_disk(out: Path, form: Form, images: int) -> None:
    needed = images * form.height * form.width * form.channels
    free = shutil.disk_usage(out.parent).free
    if needed > free:
        raise DataError(
            f"{images:,} images of {form.height} x {form.width} x {form.channels} take"
            f" {needed / 2**30:,.1f} GiB, {out.parent} has {free / 2**30:,.1f} GiB free",
            hint="pack them smaller: --size 224; or choose another place for the output",
        )


class _Steps:
    """Progress in images over the headers, which are a quarter of the work, and the pixels."""

    def __init__(self, progress: Progress | None, images: int, *, headers: bool) -> None:
        self._progress, self._images, self._share = progress, images, 0.25 if headers else 0.0

    def headers(self, done: int) -> None:
        self._tell(self._share * done)

    def pixels(self, done: int) -> None:
        self._tell(self._share * self._images + (1 - self._share) * done)

    def _tell(self, done: float) -> None:
        if self._progress is not None:
            self._progress(round(done), self._images)


class _Packing:
    """One packing under way: what has been decoded and what turned out bad."""

    def __init__(self, listing: Listing, rows: np.ndarray, out: Path, form: Form) -> None:
        self.listing = listing
        self.rows = rows
        self.out = out
        self.form = form
        self.label_sets = plain_set_names(tuple(listing.labels))
        self.values = plain_set_names(tuple(listing.values))
        self.columns, self.too_long = fitting_columns(listing.columns)
        self.bad: list[BadRow] = []
        self.resized = 0
        self.id_maker = IdMaker()
        self.counts = np.zeros((len(SPLITS), len(listing.class_names)), np.int64)
        self.packed = np.zeros(len(listing), bool)

    def run(
        self,
        max_bad: float,
        listed: Path | None,
        overwrite: bool,
        workers: int | None,
        steps: _Steps,
    ) -> PackReport:
        """Decode and write everything, or nothing."""
        written = None
        try:
            with self._writer(overwrite) as writer:
                self._write_images(writer, workers, steps)
                written = None if listed is None else write_quarantine(listed, self.bad)
                refuse_too_many(self.bad, len(self.rows), max_bad, self._advice(written))
                report = self._report(written)
                writer.notes |= self._notes(report)
        except TooManyBad:
            raise  # the list stays, for the user to act on
        except BaseException:
            if written is not None:
                written.unlink(missing_ok=True)
            raise
        return report

    def _writer(self, overwrite: bool) -> PackedWriter:
        listing = self.listing
        counts = np.bincount(listing.splits[self.rows], minlength=len(SPLITS))
        return PackedWriter(
            self.out,
            counts=dict(zip(SPLITS, counts.tolist(), strict=True)),
            image_shape=self.form.shape,
            class_names=listing.class_names,
            source=f"{listing.kind} {listing.source.resolve().name}",
            label_sets=tuple(self.label_sets.values()),
            values=tuple(self.values.values()),
            has_clean=listing.clean is not None,
            vote_columns=listing.vote_columns if listing.votes is not None else (),
            vote_dtype=vote_type([listing.votes]),
            has_targets=listing.targets is not None,
            has_names=True,
            has_digests=True,
            columns=self.columns,
            may_fall_short=True,
            overwrite=overwrite,
        )

    def _write_images(self, writer: PackedWriter, workers: int | None, steps: _Steps) -> None:
        rows = self.rows

        def decode(number: int) -> _Decoded | BadImage:
            return _decode(self.listing.images, int(rows[number]), self.form)

        most = max(1, min(64, _BATCH_BYTES // int(np.prod(self.form.shape))))
        batch = batch_size(len(rows), most, workers)
        decoded = in_order(decode, len(rows), workers=workers, batch=batch)
        with closing(decoded) as batches:
            for span, images in batches:
                self._append(writer, rows[span.start : span.stop], images)
                steps.pixels(span.stop)

    def _append(
        self,
        writer: PackedWriter,
        rows: np.ndarray,
        decoded: Sequence[_Decoded | BadImage],
    ) -> None:
        good, images, digests = [], [], []
        for row, found in zip(rows.tolist(), decoded, strict=True):
            if isinstance(found, BadImage):
                name = str(self.listing.names[row])
                self.bad.append(BadRow(row, name, found.reason, found.detail))
                continue
            good.append(row)
            images.append(found.pixels)
            digests.append(found.digest)
            self.resized += found.resized
        if not good:
            return
        kept, pixels = np.array(good), np.stack(images)
        self.packed[kept] = True
        contents = np.array(digests, np.uint64)
        ids = self._ids(good, digests)
        splits = self.listing.splits[kept]
        np.add.at(self.counts, (splits, self.listing.given[kept]), 1)
        for split in np.unique(splits).tolist():
            here = splits == split
            part = (pixels[here], ids[here], contents[here])
            self._write_rows(writer, *part, kept[here], SPLITS[split])

    def _ids(self, rows: list[int], digests: list[int]) -> np.ndarray:
        """The ids of the listing, or ids made of each image's name and content."""
        listing = self.listing
        if listing.ids is not None:
            return listing.ids[rows]
        names = ["" if listing.named_by_row else str(listing.names[row]) for row in rows]
        return np.array(list(map(self.id_maker.make, names, digests)), np.int64)

    def _write_rows(
        self,
        writer: PackedWriter,
        pixels: np.ndarray,
        ids: np.ndarray,
        digests: np.ndarray,
        rows: np.ndarray,
        split: str,
    ) -> None:
        listing = self.listing

        def pick(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[rows]

        targets = pick(listing.targets)
        writer.append(
            pixels,
            ids,
            listing.given[rows],
            split,
            clean=pick(listing.clean),
            # All zeros where this split has no soft labels and another one has.
            targets=targets if targets is not None and targets.any() else None,
            labels={self.label_sets[name]: array[rows] for name, array in listing.labels.items()},
            values={self.values[name]: array[rows] for name, array in listing.values.items()},
            votes=pick(listing.votes),
            names=listing.names[rows],
            digests=digests,
            columns={name: listing.columns[name][rows] for name in self.columns},
        )

    def _advice(self, written: Path | None) -> str:
        where = f"they are listed in {written}" if written else _check_command(self.listing)
        share = len(self.bad) / len(self.rows)
        if share == 1:
            return where
        enough = f"--max-bad {np.ceil(share * 1000) / 1000:g} (data.max_bad in a recipe)"
        return f"{where}; mend or remove them, or leave out as many: {enough}"

    def _report(self, written: Path | None) -> PackReport:
        listing = self.listing
        splits = {
            SPLITS[split]: dict(zip(listing.class_names, self.counts[split].tolist(), strict=True))
            for split in np.unique(listing.splits[self.rows]).tolist()
        }
        return PackReport(
            path=str(self.out),
            kind=listing.kind,
            source=str(listing.source),
            image_shape=self.form.shape,
            why_size=self.form.why_size,
            why_channels=self.form.why_channels,
            class_names=listing.class_names,
            splits=splits,
            label_sets={
                self.label_sets[name]: int((labels[self.packed] >= 0).sum())
                for name, labels in listing.labels.items()
            },
            values={
                self.values[name]: int(np.isfinite(values[self.packed]).sum())
                for name, values in listing.values.items()
            },
            unlabelled=len(listing) - len(self.rows),
            bad=tuple(self.bad),
            quarantine=None if written is None else str(written),
            resized=self.resized,
            remarks=(*empty_parts(splits), *self._changed()),
        )

    def _changed(self) -> list[str]:
        sets = [("label set", *pair) for pair in self.label_sets.items()]
        values = [("continuous target", *pair) for pair in self.values.items()]
        renamed = [(what, old, new) for what, old, new in (*sets, *values) if old != new]
        return [
            *(f"the {what} {old!r} is called {new!r} in the file" for what, old, new in renamed),
            *(
                f"the column {name!r} is left out: its values take more than {MAX_CELL:,} bytes,"
                f" or there are more than {MAX_COLUMNS} columns"
                for name in self.too_long
            ),
        ]

    def _notes(self, report: PackReport) -> dict[str, object]:
        left_out = {"no label": report.unlabelled} if report.unlabelled else {}
        return {
            **self.listing.notes,
            "kind": report.kind,
            "left_out": {**left_out, **report.reasons},
            "resized": report.resized,
            "size": report.why_size,
            "channels": report.why_channels,
        }


@dataclass(frozen=True)
class _Decoded:
    """An image in its packed form, whether it was resized, and the digest of what it was."""

    pixels: np.ndarray
    resized: bool
    digest: int


def _decode(images: Images, row: int, form: Form) -> _Decoded | BadImage:
    """The image in its packed form, or why it cannot be used."""
    height, width, channels = form.shape
    try:
        with images.open(row) as opened, room_for(opened):
            image = upright(opened)
            pixels = as_array(image, height=height, width=width, channels=channels)
        return _Decoded(pixels, image.size != (width, height), images.digest(row))
    except BadImage as verdict:
        return verdict

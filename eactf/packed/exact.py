"""This module rewrites a packed file without the rows that were announced but never came."""

from __future__ import annotations

from collections.abc import Sequence

import h5py

__all__ = ["copy_rows"]

_CHUNK_BYTES = 8 * 2**20


def copy_rows(source: h5py.File, target: h5py.File, regions: Sequence[slice]) -> None:
    """Copy the rows `regions` of every array, one region behind the other; memory stays flat.

    HDF5 cannot shorten a contiguous array, so that there has to be a second file.
    """

    def copy(name: str, member: h5py.Dataset | h5py.Group) -> None:
        if isinstance(member, h5py.Dataset):
            rows = sum(region.stop - region.start for region in regions)
            made = target.create_dataset(name, (rows, *member.shape[1:]), member.dtype)
            _copy(member, made, regions)
            made.flush()  # when Python closes it, h5py does not say what could not be written

    source.visititems(copy)


def _copy(member: h5py.Dataset, made: h5py.Dataset, regions: Sequence[slice]) -> None:
    chunk = max(1, _CHUNK_BYTES * member.shape[0] // max(1, member.nbytes))
    written = 0
    for region in regions:
        for start in range(region.start, region.stop, chunk):
            stop = min(start + chunk, region.stop)
            made[written : written + stop - start] = member[start:stop]
            written += stop - start

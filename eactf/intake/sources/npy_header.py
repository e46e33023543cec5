"""`read_npy_header` reads the header that `numpy.save` writes, and refuses one out of bounds."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from typing import IO

import numpy as np

from eactf.errors import DataError
from eactf.foreign import reason_of

__all__ = ["read_npy_header"]

_AGAIN = "copy the file again, or save it with numpy.savez_compressed"
_LONGEST = 10_000
_READERS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}
"""For each version how many bytes say how long the header is, and NumPy's reader of it."""


def read_npy_header(where: str, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type of the array that starts where `stream` stands.

    NumPy parses the header as Python text, so that a long one may exhaust the machine: its length
    is checked before. The stream is left where the values begin. Raises `DataError`.
    """
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _READERS:
            raise DataError(f"{where} has version {version} of the form, which is not read")
        size, reader = _READERS[version]
        said = stream.read(size)
        length = int.from_bytes(said, "little")
        if length > _LONGEST:
            raise DataError(
                f"{where} has a header of {length:,} bytes; one of numbers or texts takes at most"
                f" {_LONGEST:,}",
                hint="it was damaged or made to exhaust the machine; save the array again as plain"
                " numbers or texts",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, fortran, dtype = reader(io.BytesIO(said + stream.read(length)))
    except (DataError, zipfile.BadZipFile, zlib.error):
        raise
    except Exception as error:  # NumPy tokenizes and parses the header as Python text
        raise DataError(
            f"{where} has no header of an array: {reason_of(error)}", hint=_AGAIN
        ) from None
    return shape, fortran, dtype

"""This package writes and opens packed files: a data set as one HDF5 file of plain arrays.

::

    /                    attributes format, version, class_names, vote_columns, columns, source,
    |                    notes
    |-- images           (n, height, width, channels) uint8
    |-- id               (n,) int64, unique
    |-- split            (n,) uint8, index into records.SPLITS; the rows of a split lie together
    |-- labels/
    |   |-- given        (n,) int16, class index
    |   |-- clean        (n,) int16, -1 where unknown        (optional)
    |   `-- <name>       (n,) int16, -1 where there is none  (any number)
    |-- votes            (n, vote columns) uint8 or float32  (optional; zeros where none)
    |-- targets          (n, classes) float32                (optional; zeros where none)
    |-- values/                                              (optional)
    |   `-- <name>       (n,) float32, NaN where there is none  (any number)
    |-- name             (n,) fixed-length UTF-8             (optional; empty where none)
    |-- digest           (n,) uint64, of the image's file or values as they came  (optional)
    `-- columns/                                             (optional)
        `-- 0, 1, ...    (n,) fixed-length UTF-8; the attribute columns has their names

Why contiguous and uncompressed: random batches through chunks are 14 to 330 times slower, and a
contiguous array can be memory-mapped, past the HDF5 library altogether. The text attributes are
fixed-length UTF-8, four of them JSON, so that their size is known before they are read.
"""

from eactf.packed.reader import open_packed
from eactf.packed.whole import write_packed
from eactf.packed.writer import PackedWriter

__all__ = ["PackedWriter", "open_packed", "write_packed"]

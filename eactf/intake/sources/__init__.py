"""`open_source` turns the user's data, in whatever form it comes, into a `Listing`.

::

    options      SourceOptions: what the user may say beside the path
    folders      train/<class>/..., or <class>/..., or images beside tables that say the labels
    manifests    CSV and TSV files and plain lists that name images and labels; a CSV file that
                 has the pixels themselves goes to the reader of FER2013
    arrays       NPZ and HDF5 arrays
    packed       what eactf packed itself
"""

from __future__ import annotations

from pathlib import Path

from eactf.errors import UsageError
from eactf.intake.listing import Listing
from eactf.intake.readers.fer2013_csv import is_pixel_table
from eactf.intake.sources.options import SourceOptions
from eactf.suggestions import meant, nearest

__all__ = ["SourceOptions", "open_source"]

_DEFAULTS = SourceOptions()
_MANIFESTS = frozenset({".csv", ".tsv", ".txt"})
_HDF5 = frozenset({".h5", ".hdf5", ".hdf"})
_EXPECTED = (
    "expected a folder of images, a manifest (.csv, .tsv, .txt), arrays (.npz, .h5, .hdf5) or a"
    " packed data set (.h5)"
)
_ADVICE = {
    (".7z", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"): "unpack it and pass the folder",
    (".ods", ".xls", ".xlsx"): "save the sheet as CSV (UTF-8) and pass that",
    (".json", ".jsonl", ".parquet"): "write it as a CSV file with the columns path and label",
    (".npy",): "put images and labels together in one .npz file: numpy.savez",
    (".ckpt", ".pickle", ".pkl", ".pt", ".pth"): (
        "such a file can run code when it is opened; write the arrays to an .npz file"
    ),
    (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"): (
        "this is one image; pass the folder that has a folder a class"
    ),
}


def open_source(path: str | Path, options: SourceOptions = _DEFAULTS) -> Listing:
    """List the samples of a folder, manifest, file of arrays or packed file; no image is decoded.

    Raises `UsageError` for a path that is not there, of a kind that is not read or with options
    that do not apply to it, `DataError` where no labelled images can be made of it.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        from eactf.intake.sources.folders import list_folder

        return list_folder(path, options)
    if not path.exists():
        raise UsageError(f"there is no file or folder {path}", hint=_similar(path))
    holds_hdf5 = suffix in _HDF5 or _begins_as_hdf5(path)  # packed files have any name
    if is_pixel_table(path):
        from eactf.intake.readers.fer2013 import list_fer2013

        options.refuse("FER2013's table of pixels")
        return list_fer2013(path)
    if suffix in _MANIFESTS and not holds_hdf5:
        from eactf.intake.sources.manifests import list_manifest

        return list_manifest(path, options)
    if holds_hdf5:
        from eactf.intake.sources.packed import is_packed, list_packed

        if is_packed(path):
            return list_packed(path, options)
    elif suffix != ".npz":
        raise _unknown(path, suffix)
    from eactf.intake.sources.arrays import list_arrays

    return list_arrays(path, options)


def _begins_as_hdf5(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _similar(path: Path) -> str:
    from eactf.intake.readers.catalogue import NAMES

    if str(path) in NAMES:
        return f"to bring in the data set of that name: eactf data pack {path} --help"
    try:
        beside = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"{path.parent} is not there either; check the path"
    close = nearest(path.name, beside, alike=0.6)
    return meant(*(path.parent / name for name in close)) or "check the path"


def _unknown(path: Path, suffix: str) -> UsageError:
    advice = next((text for suffixes, text in _ADVICE.items() if suffix in suffixes), None)
    return UsageError(f"{path}: {_EXPECTED}", hint=advice)

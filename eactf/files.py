"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["replace_atomically", "write_text"]


def replace_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` make a file under a temporary name beside `path`, then rename it to `path`.

    The temporary name keeps the suffixes, which Keras insists on. Raises what `write` raises, and
    `OSError` when the folder cannot be written to; the temporary file is gone either way.
    """
    temporary = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""

    def write(target: Path) -> None:
        target.write_text(text, encoding="utf-8", newline="\n")

    replace_atomically(path, write)

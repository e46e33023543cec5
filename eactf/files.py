"""These functions write files so that a crash leaves the old or the new one, never half of one."""

from __future__ import annotations

import os
import platform
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = [
    "move_into_place",
    "remove_leftovers",
    "replace_atomically",
    "temporary_name",
    "write_bytes",
    "write_text",
]


def temporary_name(path: Path) -> Path:
    """The name beside `path` under which it is written; keeps the suffixes, as Keras insists on.

    It says which process writes, and on which machine.
    """
    return path.with_name(f".writing-{os.getpid()}-{_machine()}-{path.name}")


def remove_leftovers(path: Path, suffixes: tuple[str, ...] = ("",)) -> None:
    """Remove what was half written of `path` by processes that were killed.

    That is under a temporary name, or one with a further suffix of `suffixes`. What a living
    process writes stays, and what another machine does in a shared folder: from here nobody can
    tell whether its process lives.
    """
    if os.name == "nt":
        return  # there to ask after a process ends it
    ending = re.escape(f"-{_machine()}-{path.name}")
    ours = re.compile(rf"\.writing-(\d+){ending}(?:{'|'.join(map(re.escape, suffixes))})")
    with suppress(OSError):  # what is done is done; a folder may be written to and not listed
        for name in os.listdir(path.parent):
            found = ours.fullmatch(name)
            if found and not _lives(int(found[1])):
                path.with_name(name).unlink(missing_ok=True)


@cache
def _machine() -> str:
    """A short name of the machine, or of the container: each counts its processes by itself."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:
        processes = ""
    return f"{zlib.crc32(f'{platform.node()} {processes}'.encode()):08x}"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True


def move_into_place(temporary: Path, path: Path) -> None:
    """Rename a file that is written to the name it is to have, once it is safe on the disk."""
    _flush_to_disk(temporary)
    os.replace(temporary, path)
    _flush_to_disk(path.parent)


def replace_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` make a file under a temporary name beside `path`, then rename it to `path`.

    Raises what `write` raises, and `OSError` when the folder cannot be written to; the temporary
    file is gone either way.
    """
    temporary = temporary_name(path)
    try:
        write(temporary)
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""

    def write(target: Path) -> None:
        target.write_bytes(content)

    replace_atomically(path, write)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all; lines end as they do in `text`."""
    write_bytes(path, text.encode())


def _flush_to_disk(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""All printing is done here: rich on a terminal, plain lines elsewhere, JSON lines on request.

Results and human text go to standard output, errors and warnings to standard error. With
`--json` standard output carries one JSON object a line and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import json as _json
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eactf.errors import EactfError

__all__ = [
    "ask",
    "bar_character",
    "emit",
    "error",
    "forget_typed",
    "is_terminal",
    "json_mode",
    "log_to",
    "logs_to",
    "out",
    "say",
    "survive_encodings",
    "table",
    "telling_warnings",
    "use_json",
    "warn",
]

_json_mode = False

_log: TextIO | None = None
"""Where a process writes that is not the one to speak: a worker's own log."""

_NAME_WIDTH = 24
"""A row's name is not broken up to this length, however narrow the terminal is."""


_SHOWN = {
    ord(char): char.encode("unicode_escape").decode()
    for char in map(chr, range(160))
    if not char.isprintable() and char not in "\n\t\xa0"
}
"""Control characters spelled out: a file's name must not command the terminal."""


def use_json(on: bool) -> None:
    """Switch JSON lines on or off for the rest of the process."""
    global _json_mode
    _json_mode = on


def json_mode() -> bool:
    """True while standard output carries JSON lines."""
    return _json_mode


def log_to(stream: TextIO | None) -> None:
    """Write to `stream` from now on, as plain lines, and only errors to the terminal as well.

    None: to standard output and standard error again.
    """
    global _log
    _log = stream


def logs_to() -> TextIO | None:
    """The stream that `log_to` named."""
    return _log


def survive_encodings() -> None:
    """Have characters that the terminal's encoding lacks spelled out instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def out() -> Console:
    """The rich console on the current standard output (made anew, so that tests may capture it)."""
    stream = sys.stdout if _log is None else _log
    width = None if stream.isatty() else 100
    return Console(file=stream, highlight=False, soft_wrap=True, width=width)


def is_terminal() -> bool:
    """True when standard output is a terminal and JSON lines are off."""
    return not _json_mode and _log is None and sys.stdout.isatty()


def say(text: str = "", *, markup: bool = True) -> None:
    """Print a line of text for a person; silent in JSON mode."""
    if not _json_mode or _log is not None:
        out().print(text.translate(_SHOWN), markup=markup)


def emit(event: str, **fields: Any) -> None:
    """Print one JSON object `{"event": event, ...}`; silent outside JSON mode."""
    if _json_mode and _log is None:
        sys.stdout.write(_json.dumps({"event": event, **fields}, default=_plain) + "\n")
        sys.stdout.flush()


def ask(prompt: str) -> str:
    """A line typed by the person at the terminal, without the blanks around it.

    Raises `KeyboardInterrupt` for Ctrl-C and for the end of input (Ctrl-D).
    """
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - input() then knows the arrow keys
    try:
        return input(prompt).strip()
    except (EOFError, KeyboardInterrupt):
        say()  # what is told next begins a line
        raise KeyboardInterrupt from None
    except UnicodeDecodeError:
        return "\ufffd"  # bytes that are no text answer no question


def forget_typed() -> None:
    """Drop what was typed while nothing was asked, so that it answers no question unseen."""
    if not sys.stdin.isatty():
        return
    with contextlib.suppress(ImportError):  # there is none on Windows
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdin, termios.TCIFLUSH)


def bar_character() -> str:
    """What bars are drawn with: a block, or `#` where standard output cannot show one."""
    return "\u2588" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """Print a table; columns whose every cell is a number or `-` are aligned right."""
    if _json_mode and _log is None:
        return
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for index, name in enumerate(columns):
        numeric = all(_numeric(row[index]) for row in rows)
        # Where it gets narrow figures wrap between words, a row's name not inside one.
        named = max((len(str(row[index])) for row in rows), default=0) if not index else 0
        grid.add_column(
            escape(name),
            justify="right" if numeric else "left",
            overflow="fold",
            min_width=min(named, _NAME_WIDTH),
        )
    for row in rows:
        grid.add_row(*(escape(str(cell).translate(_SHOWN)) for cell in row))
    out().print(grid)


def warn(text: str) -> None:
    """Print a warning to standard error (in JSON mode as a JSON object there)."""
    _to_stderr("warning", text)


@contextlib.contextmanager
def telling_warnings() -> Iterator[None]:
    """Within it, tell warnings of eactf's own code as `warn` does, without their line of code."""
    own = Path(__file__).parent
    with warnings.catch_warnings():
        ordinary = warnings.showwarning

        def show(message: Any, category: Any, filename: str, *more: Any, **others: Any) -> None:
            if own in Path(filename).parents:
                warn(str(message))
            else:
                ordinary(message, category, filename, *more, **others)

        warnings.showwarning = show
        yield


def error(failure: EactfError) -> None:
    """Print a failure to standard error, `eactf: ...`, with its next step."""
    _to_stderr("error", str(failure), exit_code=failure.exit_code)


def _to_stderr(event: str, text: str, **fields: Any) -> None:
    if _log is not None:
        _log.write(f"eactf: {event}: {text.translate(_SHOWN)}\n")
        if event == "warning":
            return
    if _json_mode:
        sys.stderr.write(_json.dumps({"event": event, "message": text, **fields}) + "\n")
        return
    label = "eactf: warning: " if event == "warning" else "eactf: "
    Console(file=sys.stderr, highlight=False, soft_wrap=True).print(
        escape(label + text.translate(_SHOWN))
    )


def _numeric(cell: object) -> bool:
    text = str(cell).strip().rstrip("%").replace(",", "")
    if text in ("", "-"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays, and paths, as JSON knows them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)

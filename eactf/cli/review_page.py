"""The part of `eactf audit --review` that serves the page and says where it is."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import TYPE_CHECKING

from eactf import console
from eactf.errors import UsageError
from eactf.foreign import reason_of
from eactf.stopping import Stopped
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.review.audited import AuditFolder

__all__ = ["serve_review"]


def serve_review(folder: AuditFolder, port: int | None) -> None:
    """Serve the page until Ctrl-C; each decision is in the folder's `decisions.csv` at once."""
    from eactf.review.server import ReviewServer
    from eactf.review.sitting import Sitting
    from eactf.review.thumbnails import ranked_suspects

    sitting = Sitting(folder, ranked_suspects(folder))
    try:
        server = ReviewServer(sitting, port or 0)
    except OSError as fault:
        raise UsageError(
            f"port {port} cannot be had: {reason_of(fault)}", hint="leave --port out: a free one"
        ) from fault
    with server:
        console.emit("review", url=server.url, decisions=str(folder.decisions))
        console.say("\nthe page is open to this machine alone, as long as this command runs:")
        console.say(f"  {server.url}", markup=False)
        console.say(f"decisions are saved in {folder.decisions}; Ctrl-C ends", markup=False)
        if console.is_terminal() and _has_screen():
            webbrowser.open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except Stopped:
            raise
        except KeyboardInterrupt:
            pass  # the way to end it
    console.say(f"\n{counted(sitting.decided, 'decision')} in {folder.decisions}", markup=False)
    if sitting.decided:
        apply = command_line("eactf", "data", "apply", folder.decisions, "-o", "reviewed.h5")
        console.say(f"next: {apply}", markup=False)


def _has_screen() -> bool:
    """Whether there is one to open a browser on; a browser in the terminal would take it over."""
    return sys.platform in ("darwin", "win32") or bool(
        {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
    )

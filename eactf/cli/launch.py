"""`eactf launch` starts several workers of a run on this machine."""

from __future__ import annotations

import click

from eactf.errors import UsageError

__all__ = ["launch"]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--workers", type=click.IntRange(2, 64), default=2, show_default=True)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def launch(context: click.Context, workers: int, command: tuple[str, ...]) -> None:
    """Train with several processes on this machine, as several machines would.

    \b
    eactf launch --workers 2 -- train --recipe quickstart
    eactf launch --workers 2 -- train --resume runs/quickstart

    On real ones start `eactf train` on each, with TF_CONFIG set or by srun.
    """
    if command[:1] != ("train",):
        raise UsageError(
            f"launch starts eactf train; received {' '.join(command) or 'no command'}",
            hint="eactf launch --workers 2 -- train --recipe quickstart",
        )
    from eactf.cluster.launching import launch as start

    context.exit(start(workers, command))

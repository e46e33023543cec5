"""`eactf report` makes one HTML page of finished runs, with all figures in it."""

from __future__ import annotations

from pathlib import Path

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option

__all__ = ["report"]


@click.command()
@click.argument("runs", nargs=-1, required=True, type=FILE_PATH, metavar="RUN...")
@click.option(
    "-o",
    "--output",
    type=FILE_PATH,
    help="The page; by default report.html in the folder of a single run, else here.",
)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Look at every image, however long a large network takes; else at some of them.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier report of that name.")
@json_option
def report(runs: tuple[Path, ...], output: Path | None, every: bool, overwrite: bool) -> None:
    """Make a page of RUNs: what they learnt, what they look at, which labels they doubt.

    One HTML file that opens without a network, its figures beside it as PNG, SVG and CSV. A RUN is
    a run's folder, or that of a comparison.

    \b
    eactf report runs/quickstart
    eactf report runs/baseline runs/eac -o methods.html
    """
    from eactf.report.page.extra import require_extra
    from eactf.report.page.output import Place

    require_extra()
    place = Place(output or (runs[0] if len(runs) == 1 else Path()) / "report.html")
    place.refuse(overwrite=overwrite)
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.report.page.building import make_report

    made = make_report(runs, place, every=every)
    for sentence in made.missing:
        console.warn(sentence)
    console.emit(
        "report",
        page=str(made.page),
        figures=str(made.figures),
        count=made.count,
        bytes=made.size,
        missing=list(made.missing),
    )
    console.say(f"{made.page}  {made.size / 1e6:.1f} MB, {made.count} figures", markup=False)

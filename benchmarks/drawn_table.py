"""The shape of the EAC paper's table 1 on drawn faces: methods times noise rates, several seeds.

Small faces, a small network and few of them, so that all cells together take about an hour on two
CPU cores. Cells are run seed by seed; finished ones are kept in the folder and not run again.

    python benchmarks/drawn_table.py --seeds 3
    python benchmarks/drawn_table.py --seeds 3 --set data.drawn.train=1500 --set train.epochs=40
"""

from __future__ import annotations

import argparse
from pathlib import Path

from eactf import console
from eactf.cli.compare import tell_table
from eactf.report.cells import Cell, make_cell
from eactf.report.comparison import Outcome, run_cells
from eactf.report.table import Spread, markdown_table

METHODS = {"Baseline": "cross_entropy", "SCN": "scn", "RUL": "rul", "EAC": "eac"}
RATES = (0.0, 0.1, 0.2, 0.3)
SETTINGS = (
    "data.image_size=32",
    "data.drawn.difficulty=0.3",
    "data.drawn.train=600",
    "data.drawn.validation=100",
    "train.epochs=25",
    "train.batch_size=32",
    "schedule.gamma=0.95",
)


def main() -> None:
    options = parse_options()
    outcomes = run_cells(cells(options.seeds, options.overrides), options.folder)
    for title, read in (("accuracy, mean of the last epochs", accuracy), ("learnt", learnt)):
        console.say(f"\n{title}, percent (standard deviation over the seeds)")
        console.say(
            markdown_table(
                ["", *(f"{rate:.0%} noise" for rate in RATES)],
                [
                    [name, *(shown(outcomes, row(name, rate), read) for rate in RATES)]
                    for name in METHODS
                ],
            )
        )
    table = tell_table(outcomes, optimistic=False)
    (options.folder / "table.csv").write_text(table.csv(), encoding="utf-8")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--folder", type=Path, default=Path("comparisons"))
    return parser.parse_args()


def cells(seeds: int, overrides: list[str]) -> list[Cell]:
    return [
        make_cell(
            row(name, rate),
            "quickstart",
            seed,
            overrides=[*SETTINGS, f"noise.rate={rate}", f"method.name={method}", *overrides],
        )
        for seed in range(seeds)
        for rate in RATES
        for name, method in METHODS.items()
    ]


def row(name: str, rate: float) -> str:
    return f"{rate:.0%}, {name}"


def shown(outcomes: list[Outcome], name: str, read) -> str:
    results = [o.result for o in outcomes if o.cell.row == name and o.result is not None]
    spread = Spread.of([value for value in map(read, results) if value is not None])
    return "-" if spread is None else spread.percent()


def accuracy(result: dict) -> float:
    return result["mean_of_last_epochs"]["accuracy"]


def learnt(result: dict) -> float | None:
    """The share of the wrong training labels that the network predicts in the end."""
    return result["memorised_wrong_labels"]


if __name__ == "__main__":
    main()

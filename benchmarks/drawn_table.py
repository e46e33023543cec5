"""The shape of the EAC paper's table 1 on drawn faces: methods times noise rates, several seeds.

Small faces, few of them and a small network, for two CPU cores; a cell took 1.5 to 9 minutes on one
that had other work as well. Cells are run seed by seed; finished ones are kept in the folder and
not run again.

    python benchmarks/drawn_table.py --seeds 3
    python benchmarks/drawn_table.py --seeds 3 --set data.drawn.train=1500 --set train.epochs=40
"""

from __future__ import annotations

import argparse
from pathlib import Path

from eactf import console
from eactf.cli.compare import show_table, tell_table
from eactf.report.cells import Cell, make_cell
from eactf.report.comparison import run_cells
from eactf.report.table import Row, markdown_table

METHODS = {"Baseline": "cross_entropy", "SCN": "scn", "RUL": "rul", "EAC": "eac"}
RATES = (0.0, 0.1, 0.2, 0.3)
FIGURES = {
    "accuracy on test, mean of the last 5 epochs": "mean_of_last",
    "wrong training labels that were learnt": "learnt_wrong",
}
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
    table = tell_table(outcomes, optimistic=False)
    rows = {line.name: line for line in table.rows}
    for title, figure in FIGURES.items():
        lines = [
            [name, *(shown(rows[row(name, rate)], figure) for rate in RATES)] for name in METHODS
        ]
        console.say(f"\n{title}, percent (standard deviation over {options.seeds} seeds)\n")
        console.say(markdown_table(["", *(f"{rate:.0%} noise" for rate in RATES)], lines))
    show_table(table)


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
            overrides=[
                *SETTINGS,
                f"noise.rate={rate}",
                f"method.name={method}",
                *(["method.consistency_ramp=8"] if method == "eac" else []),
                *overrides,
            ],
        )
        for seed in range(seeds)
        for rate in RATES
        for name, method in METHODS.items()
    ]


def row(name: str, rate: float) -> str:
    return f"{rate:.0%}, {name}"


def shown(line: Row, figure: str) -> str:
    spread = getattr(line, figure)
    return "-" if spread is None else spread.percent()


if __name__ == "__main__":
    main()

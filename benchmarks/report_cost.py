"""What a report costs: seconds, seconds of processor time, and the most memory it takes.

Each report is a process of its own, `eactf report`, on the folder of a run that was trained before,
and written into a temporary folder.

    python benchmarks/report_cost.py runs/quickstart runs/ferplus
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eactf import console
from eactf.report.table import markdown_table

COLUMNS = ["run", "seconds", "processor seconds", "memory", "page", "figures"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    options = parser.parse_args()
    rows = [measured(run) for run in options.runs]
    load = os.getloadavg()[0]
    console.say(f"{os.cpu_count()} processors, load {load:.1f}\n\n{markdown_table(COLUMNS, rows)}")


def measured(run: Path) -> list[str]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        command = [sys.executable, "-m", "eactf", "report", str(run), "-o", str(page)]
        begun = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"eactf report {run} failed")
        figures = len(list((page.parent / "figures").glob("*.png")))
        size = f"{page.stat().st_size / 1e6:.1f} MB"
        processor, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        cost = [f"{seconds:.0f}", f"{processor:.0f}", f"{memory / 1e9:.2f} GB"]
        return [run.name, *cost, size, str(figures)]


if __name__ == "__main__":
    main()

"""Runs that are killed at random instants, taken up until they finish, and compared bit by bit.

Every run is killed by SIGKILL once or more: at an instant drawn over its whole life (start, steps,
validation, judging, end) or, every third time, as soon as a file is seen that is being written. It
survives if `eactf train --resume` carries it to its end, and is identical if all arrays of its last
and best checkpoint (weights, optimizer, tables, metrics, seeds), its log and its result, time
apart, are those of a run that nobody touched.

    python benchmarks/kills.py --runs 40
    python benchmarks/kills.py --runs 2 --methods scn
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eactf import console
from eactf.method_names import METHODS
from eactf.report.table import markdown_table
from eactf.training.checkpoints import read_checkpoint

SETTINGS = (
    *("data.drawn.train=200", "data.drawn.validation=40", "data.drawn.test=40"),
    *("data.drawn.size=32", "model.width=4", "train.epochs=3", "report.last_epochs=2"),
    *("train.batch_size=16", "train.checkpoint_minutes=0.005"),
)
OWN = {"scn": ("method.relabel_epoch=1", "method.relabel_margin=0.01")}
MOST_KILLS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40, help="of each method")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--first", type=int, default=0, help="number of the first one's draws")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for method in options.methods.split(","):
            root = Path(folder) / method
            root.mkdir()
            rows.append([method, *map(str, killed_runs(root, method, options))])
            console.say(f"{rows[-1]}", markup=False)
    totals = [str(sum(int(row[column]) for row in rows)) for column in range(1, 5)]
    rows.append(["all", *totals])
    console.say(markdown_table(["", "runs", "kills", "survived", "identical"], rows))


def killed_runs(root: Path, method: str, options: argparse.Namespace) -> tuple[int, ...]:
    begun = time.monotonic()
    whole = root / "whole"
    subprocess.run(command(method, whole), check=True, capture_output=True)
    life = time.monotonic() - begun

    def one(number: int) -> tuple[int, bool, bool]:
        run = root / f"run{number}"
        kills = carry_through(run, method, life * options.jobs, random.Random(f"{method} {number}"))
        survived = (run / "result.json").is_file()
        return kills, survived, survived and contents(run) == contents(whole)

    with ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(one, range(options.first, options.first + options.runs)))
    kills, survived, identical = (sum(column) for column in zip(*found, strict=True))
    return options.runs, kills, survived, identical


def carry_through(run: Path, method: str, life: float, draw: random.Random) -> int:
    """Start the run and kill it, until it has been killed often enough or ends; the kills."""
    kills, wanted = 0, draw.randint(1, MOST_KILLS)
    while kills == 0 or not (run / "result.json").is_file():
        if (run / "result.json").is_file():  # it was faster than the instant drawn: once more
            shutil.rmtree(run)
        going_on = (run / "run.json").is_file()
        words = [*EACTF, "--resume", str(run)] if going_on else command(method, run, fresh=True)
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if kills < wanted:
            wait(process, run, draw, life)
        if kills < wanted and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, told = process.communicate()
        if process.returncode not in (0, -signal.SIGKILL):
            console.say(f"{run.name}: {told.decode()[-2000:]}", markup=False)
            break
    return kills


def wait(process: subprocess.Popen, run: Path, draw: random.Random, life: float) -> None:
    """Wait for a random instant; every third time, behind it, for a file that is being written."""
    aimed, instant = draw.random() < 1 / 3, time.monotonic() + draw.uniform(0.3, 1.0) * life
    while process.poll() is None:
        if time.monotonic() > instant and (not aimed or any(run.rglob(".writing-*"))):
            return
        time.sleep(0.0005 if aimed else 0.01)


EACTF = (sys.executable, "-m", "eactf", "train")


def command(method: str, run: Path, *, fresh: bool = False) -> list[str]:
    if fresh and run.exists():  # killed before it wrote anything to go on from
        shutil.rmtree(run)
    settings = (f"method.name={method}", *SETTINGS, *OWN.get(method, ()))
    sets = [word for setting in settings for word in ("--set", setting)]
    return [*EACTF, "--recipe", "quickstart", *sets, "--run-dir", str(run)]


def contents(run: Path) -> dict[str, object]:
    """All that two runs must have in common, as comparable values."""
    found: dict[str, object] = {}
    for which in ("last", "best"):
        state = read_checkpoint(run / "checkpoints" / f"{which}.npz").state
        found |= {f"{which}/{name}": array.tobytes() for name, array in state.items()}
    result = json.loads((run / "result.json").read_text())
    found["result"] = {key: value for key, value in result.items() if key != "seconds"}
    for name in ("metrics.jsonl", "relabels.csv", "scores.csv"):
        found[name] = (run / name).read_bytes() if (run / name).is_file() else None
    return found


if __name__ == "__main__":
    main()

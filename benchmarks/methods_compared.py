"""EAC against cross-entropy on one recipe: same data, noise, network and budget, several seeds.

Every run is `eactf train` in a process of its own; the figures are those of its `result.json`.

    python benchmarks/methods_compared.py --recipe quickstart --seeds 3
    python benchmarks/methods_compared.py --recipe ferplus-human-small --data ferplus.h5 --seeds 1
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

METHODS = ("cross_entropy", "eac")


def main() -> None:
    options = parse_options()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="eactf-compared-"))
    results: dict[str, list[dict]] = {method: [] for method in METHODS}
    for seed in range(options.seeds):
        for method in METHODS:
            result = run(options, method, seed, folder / f"{method}-{seed}")
            results[method].append(result)
            print(f"{method:<14} seed {seed}  {line(result)}", flush=True)
    print()
    print(table(results, options.seeds))
    print(f"\nruns kept in {folder}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--folder", type=Path, help="where to keep the runs; finished ones stay")
    return parser.parse_args()


def run(options: argparse.Namespace, method: str, seed: int, folder: Path) -> dict:
    finished = folder / "result.json"
    if not finished.exists():
        command = [sys.executable, "-m", "eactf", "train", "--recipe", options.recipe]
        command += ["--run-dir", str(folder), "--set", f"seed={seed}"]
        command += ["--set", f"method.name={method}"] if method != "eac" else []
        command += ["--data", str(options.data)] if options.data else []
        for override in options.overrides:
            command += ["--set", override]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(finished.read_text())


def line(result: dict) -> str:
    mean, best = result["mean_of_last_epochs"], result["best_on_validation"]
    return (
        f"{result['judged_on']}: mean of last {mean['epochs']} {mean['accuracy']:.2%}, "
        f"macro recall {mean['macro_recall']:.2%}, best on validation {best['accuracy']:.2%}, "
        f"wrong labels learnt {result['memorised_wrong_labels']:.1%}, {result['seconds']:.0f} s"
    )


def table(results: dict[str, list[dict]], seeds: int) -> str:
    rows = [
        f"| method (n = {seeds}) | accuracy, mean of last epochs | macro recall "
        "| accuracy, best on validation | wrong labels learnt | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for method, runs in results.items():
        means = [run["mean_of_last_epochs"] for run in runs]
        cells = [
            spread([mean["accuracy"] for mean in means]),
            spread([mean["macro_recall"] for mean in means]),
            spread([run["best_on_validation"]["accuracy"] for run in runs]),
            spread([run["memorised_wrong_labels"] for run in runs]),
            f"{statistics.mean(run['seconds'] for run in runs):.0f}",
        ]
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def spread(values: list[float]) -> str:
    middle = f"{100 * statistics.mean(values):.1f} %"
    if len(values) == 1:
        return middle
    return f"{middle} (sd {100 * statistics.stdev(values):.1f})"


if __name__ == "__main__":
    main()

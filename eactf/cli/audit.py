"""`eactf audit` says which labels are wrong, and lets a person decide on each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf import console
from eactf.cli.data.source_options import source_options
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError
from eactf.progress import counting
from eactf.suggestions import command_line
from eactf.wording import counted, enumerated

if TYPE_CHECKING:
    from eactf.intake.sources import SourceOptions
    from eactf.review.audited import AuditFolder

__all__ = ["audit"]

_SHOWN = 10

_FAR_MORE = 0.2
"""Labels that networks contradict, beyond the suspects, from which that is told."""


@click.command()
@click.argument("target", metavar="RUN|DATA", type=FILE_PATH)
@click.option(
    "-o",
    "--output",
    type=FILE_PATH,
    help="The folder to write to; by default audit/ in the run, or NAME.audit for data.",
)
@click.option("--review", is_flag=True, help="Open the page on which each suspect is decided on.")
@click.option("--port", type=click.IntRange(1, 65535), help="The page's port; by default any.")
@click.option("--all", "everything", is_flag=True, help="List every label, not suspects alone.")
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True)
@click.option("--overwrite", is_flag=True, help="Audit anew; decisions that were made stay.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="train",
    show_default=True,
    help="Of data: the split whose labels are judged.",
)
@click.option("--label-set", metavar="NAME", help="Of data: judge a further label set.")
@click.option("--limit", type=click.IntRange(1), help="Of data: judge this many samples.")
@click.option("--folds", type=click.IntRange(2, 20), help="Of data: how many quick networks.")
@click.option("--seed", default=0, show_default=True, help="Of data: seed of the networks.")
@source_options
@json_option
def audit(
    target: Path,
    output: Path | None,
    review: bool,
    port: int | None,
    everything: bool,
    batch_size: int,
    overwrite: bool,
    options: SourceOptions,
    **of_data: Any,
) -> None:
    """List the labels that are likelier wrong than right, worst first, with what speaks for it.

    Of a finished run it takes seconds: what its training showed of each image is read from its
    folder. Of data, quick networks are trained on parts of it, as by 'eactf data noise'.

    \b
    eactf audit runs/quickstart                  writes suspects.csv
    eactf audit runs/quickstart --review         decide: keep, relabel or drop
    eactf data apply runs/quickstart/audit/decisions.csv -o mended.h5
    """
    from eactf.review.audited import AuditFolder
    from eactf.training.run_list import is_run

    run = next((path for path in (target, Path("runs") / target) if is_run(path)), None)
    folder = AuditFolder(output or _default_folder(target, run))
    if not (review and folder.exists and not overwrite):
        folder.refuse_existing(overwrite)
        if run is not None:
            _refuse_of_data(options, of_data)
            _audit_run(run, folder, batch_size, everything)
        else:
            _audit_data(target, folder, options, everything, **of_data)
        _show(folder, command_line("eactf", "audit", target, *_at(output)))
    if review:
        from eactf.cli.review_page import serve_review

        serve_review(folder, port)


def _at(output: Path | None) -> list[object]:
    return [] if output is None else ["-o", output]


def _default_folder(target: Path, run: Path | None) -> Path:
    return run / "audit" if run is not None else Path(f"{target.stem or 'data'}.audit")


def _refuse_of_data(options: SourceOptions, of_data: dict[str, Any]) -> None:
    options.refuse("a run, which has its data already")
    plain = {"split": "train", "label_set": None, "limit": None, "folds": None, "seed": 0}
    for name, value in of_data.items():
        if value != plain[name]:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} does not apply to a run", hint=f"leave {flag} out")


def _audit_run(run: Path, folder: AuditFolder, batch_size: int, everything: bool) -> None:
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.noise.suspects import suspect_rows
    from eactf.review.audited import Audited
    from eactf.training.run_audit import audit_run

    with counting("looking again") as progress:
        found = audit_run(run, batch_size=batch_size, progress=progress)
    if not found.traced:
        console.warn(
            f"{run} has no traces.npz, as runs of older versions: it is audited by its last"
            " network alone, which has learnt these very labels"
        )
    rows = suspect_rows(
        found.ranking, found.samples, found.class_names, "train", everything=everything
    )
    figures = {"method": found.method, **_figures(len(found.samples), rows, found.true_rate)}
    audited = Audited("run", str(run.absolute()), "train", found.class_names)
    folder.write(audited, rows, figures)


def _audit_data(
    target: Path,
    folder: AuditFolder,
    options: SourceOptions,
    everything: bool,
    *,
    split: str,
    label_set: str | None,
    limit: int | None,
    folds: int | None,
    seed: int,
) -> None:
    from eactf.data.opened import open_data

    dataset = open_data(target, options=options)

    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.noise.suspects import suspect_rows
    from eactf.review.audited import Audited
    from eactf.training.noise_audit import audit_noise, choose_samples

    samples = choose_samples(dataset, split, label_set=label_set, limit=limit, seed=seed)
    names = dataset.class_names
    with counting("training") as bar:
        found = audit_noise(samples, names, split=split, folds=folds, seed=seed, progress=bar)
    if not found.estimate.tells:
        console.warn(
            "the networks know too little of these images to tell wrong labels from their own"
            " mistakes: look at the suspects for yourself"
        )
    rows = suspect_rows(found.ranking, found.samples, names, split, everything=everything)
    audited = Audited.of_data(target, split, names, label_set, options)
    figures = _figures(len(found.samples), rows, found.true_rate)
    figures["contradicted"] = found.estimate.disagreement
    folder.write(audited, rows, {**figures, "unpredicted": list(found.unpredicted)})


def _figures(samples: int, rows: list[dict[str, object]], rate: float | None) -> dict[str, Any]:
    suspects = sum(bool(row["is_label_issue"]) for row in rows)
    return {"samples": samples, "suspects": suspects, "true_rate": rate}


def _show(folder: AuditFolder, again: str) -> None:
    rows, figures = folder.read_suspects(), folder.figures()
    console.emit("audit", folder=str(folder.path), **figures, worst=rows[:100])
    suspects = counted(figures["suspects"], "label is", "labels are")
    console.say(f"{suspects} likelier wrong than right, of {figures['samples']:,}")
    if figures.get("true_rate") is not None:
        rate = figures["true_rate"]
        console.say(f"by the clean labels that the data knows {rate:.1%} are wrong")
    contradicted = figures.get("contradicted", 0.0)
    if contradicted - figures["suspects"] / figures["samples"] > _FAR_MORE:
        console.say(
            f"networks contradict {contradicted:.0%} of the labels: where people err on hard"
            " images, far more are\nwrong than it seems; --all ranks every label"
        )
    if unpredicted := figures.get("unpredicted"):
        names = enumerated(unpredicted)
        console.say(
            f"hardly ever predicted, so little speaks for their labels: {names}", markup=False
        )
    if rows:
        console.say("\nthe worst:")
        console.table(
            ["image", "given", "likely", "p(given)", "p(likely)"],
            [
                [
                    row["filepath"] or f"id {row['id']}",
                    row["given_label"],
                    row["predicted_label"],
                    row["p_given"],
                    row["p_predicted"],
                ]
                for row in rows[:_SHOWN]
            ],
        )
    console.say(f"\nall are in {folder.suspects}", markup=False)
    console.say("next:")
    console.say(f"  {again} --review", markup=False)
    console.say(f"  {command_line('eactf', 'data', 'apply', folder.decisions)}", markup=False)

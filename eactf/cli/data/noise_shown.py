"""`show_audit` tells a person what `eactf data noise` found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eactf import console
from eactf.cli.data.checking import checked_headline
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.intake.sources import SourceOptions
    from eactf.noise.estimate import NoiseEstimate
    from eactf.noise.panel import PanelReading
    from eactf.training.noise_audit import NoiseAudit

__all__ = ["show_audit"]

_WIDE = 0.2
"""Points between interval and upper reading beyond which both are told in one breath."""

_WIDEST_MATRIX, _PAIRS, _SUSPECTS = 10, 8, 10
_RECIPE, _RECIPE_LIMIT = "ferplus-human-small", 5_000


def show_audit(
    audit: NoiseAudit,
    path: Path,
    label_set: str | None,
    output: Path | None,
    options: SourceOptions,
) -> None:
    """Tell rate, classes, suspects, advice and the next command, as one after the other."""
    found = audit.estimate
    for line in checked_headline(audit.checked) if audit.checked else ():
        console.say(line)
    if audit.by_votes is not None:
        console.say(_by_votes(audit.by_votes, beside=audit.checked is not None))
    for line in _headline(found, beside=audit.by_people is not None):
        console.say(line)
    if audit.true_rate is not None:
        console.say(f"by the clean labels that the data knows it is {audit.true_rate:.1%}")
    _show_classes(audit)
    _show_remarks(audit)
    _show_suspects(audit, output)
    _show_advice(audit, path, label_set, options)


def _by_votes(found: PanelReading, *, beside: bool) -> str:
    """What the annotators' votes say, with checks `beside` it or not."""
    rate = f"about {found.rate:.0%} of the labels are wrong"
    return (
        f"by the votes: {rate} (between {found.low:.0%} and {found.high:.0%})"
        if beside
        else f"\n[bold]{rate}[/bold] (between {found.low:.0%} and {found.high:.0%}) by the votes:"
        f" a larger panel than\nthe {found.people:.3g} people an image would choose another class"
    )


def _headline(found: NoiseEstimate, *, beside: bool = False) -> tuple[str, str]:
    """The rate, and what it leaves out.

    Where people err alike, networks learn it: of FER2013's labels 37 % are wrong, and 8,000 of them
    read as 24 %, all as 9 %. Where far more is contradicted, the upper reading stands beside it.
    """
    interval = f"between {found.low:.0%} and {found.high:.0%}"
    rate = f"\n[bold]about {found.rate:.0%} of the labels are wrong[/bold] ({interval})"
    if beside:
        head = f"by the networks alone: about {found.rate:.0%} ({interval})"
    elif not found.tells:
        head = f"\n[bold]how many labels are wrong cannot be told[/bold]: {interval}"
    elif found.disagreement - found.high > _WIDE:
        head = (
            f"{rate} if mistakes fall on easy and hard images alike,"
            f"\n[bold]up to {found.disagreement:.0%}[/bold] if they fall on the hard ones, as"
            " people's do: --checked 100 tells"
        )
    else:
        head = rate
    return head, (
        "Read for noise that looks at the class, not the image. The upper reading are all labels"
        f" that the\nnetworks contradict: {found.disagreement:.0%} of them."
    )


def _show_classes(audit: NoiseAudit) -> None:
    found, names = audit.estimate, audit.class_names
    if not found.tells:
        return
    if len(names) <= _WIDEST_MATRIX:
        console.say("\nlabels by likely true class (row) and as given (column):")
        rows = [[name, *_cells(found.counts[row])] for row, name in enumerate(names)]
        wrong = ["-" if share != share else f"{share:.0%}" for share in found.per_class]
        console.table(["likely", *names], [*rows, ["wrong", *wrong]])
        return
    off = found.counts * (1 - np.eye(len(names)))
    worst = np.argsort(-off, axis=None)[:_PAIRS]
    pairs = [np.unravel_index(place, off.shape) for place in worst]
    console.say("\nwhere most labels are wrong:")
    console.table(
        ["given", "likely", "labels"],
        [[names[given], names[true], f"{off[true, given]:,.0f}"] for true, given in pairs],
    )


def _cells(counts: np.ndarray) -> list[str]:
    return [f"{count:,.0f}" if count >= 0.5 else "-" for count in counts]


def _show_remarks(audit: NoiseAudit) -> None:
    for name, count in audit.unjudged.items():
        console.say(f"not judged, too few samples: {name} ({count:,})", markup=False)
    if audit.unpredicted:
        names = ", ".join(audit.unpredicted)
        console.say(f"hardly ever predicted, so little is said of it: {names}", markup=False)


def _show_suspects(audit: NoiseAudit, output: Path | None) -> None:
    total = len(audit.ranking.suspects())
    if not total:
        console.say("\nno label is doubtful")
        return
    where = "-o suspects.csv writes them all" if output is None else f"all are in {output}"
    doubtful = counted(total, "label is", "labels are")
    console.say(f"\n{doubtful} doubtful; the worst ({where}):", markup=False)
    console.table(
        ["image", "given", "likely", "p(given)", "p(likely)"],
        [
            [
                suspect["filepath"] or f"id {suspect['id']}",
                suspect["given_label"],
                suspect["predicted_label"],
                f"{suspect['p_given']:.4f}",
                f"{suspect['p_predicted']:.4f}",
            ]
            for suspect in audit.suspects(_SUSPECTS)
        ],
    )


def _show_advice(
    audit: NoiseAudit, path: Path, label_set: str | None, options: SourceOptions
) -> None:
    from eactf.intake.advice import pack_command, packed_name

    advice = audit.advice
    console.say(f"\n[bold]advice[/bold]: {advice.text}")
    for ground in advice.evidence:
        console.say(f"  {ground}", markup=False)
    if flags := options.flags():  # which training does not take
        console.say(f"next: {pack_command(path, *flags)}", markup=False)
        path = Path(packed_name(path))
    console.say(f"next: {_next_command(audit, path, label_set)}", markup=False)


def _next_command(audit: NoiseAudit, path: Path, label_set: str | None) -> str:
    settings: dict[str, object] = {"noise.kind": "none"}
    if label_set is not None:
        settings = {"noise.kind": "human", "noise.labels": label_set}
    if audit.plan.channels != 1:
        settings["data.channels"] = audit.plan.channels
    if len(audit.samples) > _RECIPE_LIMIT:
        settings["data.train_limit"] = "null"
    settings |= audit.advice.settings
    changes = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return command_line("eactf", "train", "--recipe", _RECIPE, "--data", path, *changes)

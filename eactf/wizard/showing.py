"""This module prints what the wizard has found, on one screen, and its plan with the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.markup import escape

from eactf import console
from eactf.intake.findings import Finding, Severity
from eactf.intake.fingerprint import Fingerprint, Spread
from eactf.packed.records import SPLITS
from eactf.wizard.choices import Choice
from eactf.wizard.label_rules import GIVEN, NoiseEstimate
from eactf.wizard.plan import Plan
from eactf.wizard.writing import one_line
from eactf.wording import counted

__all__ = [
    "about",
    "method_title",
    "show_findings",
    "show_fingerprint",
    "show_noise",
    "show_plan",
    "size_text",
]

_WIDEST_BAR, _WIDEST_NAME = 28, 24
_MOST_CLASSES, _FIRST, _LAST = 16, 9, 5
_MOST_FINDINGS = 12
_METHODS = {"eac": "EAC", "cross_entropy": "cross-entropy"}


def show_fingerprint(fingerprint: Fingerprint) -> None:
    """Print what the data is like: a line a fact, then the classes as bars."""
    kind = "image folder" if fingerprint.kind == "folder" else fingerprint.kind
    console.say(
        f"[bold]{escape(one_line(Path(fingerprint.source).name))}[/bold]  {kind}, "
        f"{counted(fingerprint.images, 'image')}"
    )
    for name, text in _facts(fingerprint):
        console.say(f"  {name:<10} {one_line(text)}", markup=False)
    console.say(f"  {'classes':<10} {_classes(fingerprint)}", markup=False)
    _show_bars(fingerprint)


def show_findings(findings: Sequence[Finding], command: str) -> None:
    """Print the findings, the gravest first, and the command that names their files."""
    for found in findings[:_MOST_FINDINGS]:
        sign = " " if found.severity is Severity.NOTE else "[yellow]![/yellow]"
        console.say(f"  {sign} {escape(one_line(found.what))}")
    counts = {
        severity: sum(found.severity is severity for found in findings) for severity in Severity
    }
    told = [counted(count, name) for name, count in counts.items() if count]
    if told:
        console.say(f"  {', '.join(told)} in all: {command}", markup=False)


def show_noise(estimate: NoiseEstimate) -> None:
    """Print what the noise estimate found, in two or three lines."""
    console.say(estimate.found)
    for given, likely, share in estimate.pairs:
        console.say(
            f"  {share:.0%} of {one_line(given)} are rather {one_line(likely)}", markup=False
        )
    if estimate.text:
        console.say(f"  {estimate.text}", markup=False)


def show_plan(plan: Plan, asides: Mapping[str, Choice[str]], files: Mapping[Path, str]) -> None:
    """Print the plan as a table with its reasons.

    `asides` belong to it and are no keys of the recipe; `files` are to be written, with a few words
    each.
    """
    console.say()
    console.table(["plan", "", "because"], list(_plan_rows(plan, asides, files)))


def method_title(name: str) -> str:
    """A method as people call it."""
    return _METHODS.get(name, name)


def size_text(size: int) -> str:
    """Bytes as people say them: `310 kB`, `1.2 GB`.

    >>> size_text(310_000), size_text(1_240_000_000)
    ('310 kB', '1.2 GB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{max(1, round(size / 1e3))} kB"


def about(seconds: float) -> str:
    """A length of time that is not exact.

    >>> about(20), about(754), about(9000)
    ('under a minute', 'about 13 minutes', 'about 2 h 30 min')
    """
    minutes = round(seconds / 60)
    if seconds < 60:
        return "under a minute"
    if minutes < 100:
        return f"about {counted(minutes, 'minute')}"
    return f"about {minutes // 60} h {minutes % 60:02d} min"


def _facts(fingerprint: Fingerprint) -> Iterator[tuple[str, str]]:
    splits = [
        f"{name} {fingerprint.splits[name]:,}" for name in SPLITS if name in fingerprint.splits
    ]
    absent = [name for name in SPLITS[1:] if name not in fingerprint.splits]
    none = f"; no {' and no '.join(absent)} split" if absent else ""
    yield "splits", f"{', '.join(splits)}{none}"
    yield "images", f"{_size(fingerprint)}, {_colour(fingerprint)}"
    yield "copies", _copies(fingerprint)
    if fingerprint.bad:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in fingerprint.bad.items())
        yield "unusable", f"{sum(fingerprint.bad.values()):,}: {reasons}"
    labels = list(_labels(fingerprint))
    if labels:
        yield "labels", "; ".join(labels)
    if fingerprint.values:
        yield "values", ", ".join(_values(fingerprint))


def _size(fingerprint: Fingerprint) -> str:
    if fingerprint.same_size:
        return f"{fingerprint.widths.median}x{fingerprint.heights.median} pixels"
    return f"{_span(fingerprint.widths)} x {_span(fingerprint.heights)} pixels"


def _span(spread: Spread) -> str:
    if spread.least == spread.most:
        return str(spread.median)
    return f"{spread.least}..{spread.most} (half below {spread.median})"


def _colour(fingerprint: Fingerprint) -> str:
    if fingerprint.grey:
        return "grey"
    return f"colour, {fingerprint.grey_share:.0%} grey" if fingerprint.grey_share else "colour"


def _copies(fingerprint: Fingerprint) -> str:
    if not (fingerprint.duplicate_groups or fingerprint.near_duplicates):
        return "none"
    parts = [f"{fingerprint.exact_duplicates:,} exact, {fingerprint.near_duplicates:,} near"]
    if fingerprint.across_splits:
        parts.append(f"{counted(fingerprint.across_splits, 'group')} in several splits")
    if fingerprint.contradicting:
        parts.append(f"{fingerprint.contradicting:,} with different labels")
    return "; ".join(parts)


def _labels(fingerprint: Fingerprint) -> Iterator[str]:
    if fingerprint.unlabelled:
        yield f"{counted(fingerprint.unlabelled, 'image has', 'images have')} none"
    for name, share in fingerprint.label_sets.items():
        yield f"{name} differs in {share:.1%}"
    if fingerprint.wrong_share is not None:
        yield f"{fingerprint.wrong_share:.1%} wrong by the known true ones"
    if fingerprint.votes:
        yield "made of several people's votes"


def _values(fingerprint: Fingerprint) -> Iterator[str]:
    for name, value in fingerprint.values.items():
        all_known = value.known == fingerprint.usable
        yield name if all_known else f"{name} ({value.known:,} of {fingerprint.usable:,})"


def _classes(fingerprint: Fingerprint) -> str:
    text = f"{len(fingerprint.class_names):,}"
    if fingerprint.imbalance > 1:
        text += f", the largest {fingerprint.imbalance:,.1f} times the smallest"
    return text


def _show_bars(fingerprint: Fingerprint) -> None:
    """The classes with their counts, the training split's (or the first one's) as a bar."""
    shown = [name for name in SPLITS if name in fingerprint.class_counts]
    if not shown:
        return
    counts = fingerprint.class_counts
    most = max(counts[shown[0]].values())
    names = list(fingerprint.class_names)
    width = min(max(map(cell_len, names)), _WIDEST_NAME)
    block = console.bar_character()
    console.say("    " + " " * width + "".join(f"{name:>12}" for name in shown), markup=False)
    for name in _some(names, counts[shown[0]]):
        if name is None:
            console.say(f"    ... and {len(names) - _FIRST - _LAST:,} more", markup=False)
            continue
        cells = "".join(f"{counts[split][name]:>12,}" for split in shown)
        bar = block * round(_WIDEST_BAR * counts[shown[0]][name] / most) if most else ""
        short = set_cell_size(one_line(name), width)
        console.say(f"    {escape(short)}{cells}  [dim]{bar}[/dim]")


def _some(names: Sequence[str], counts: Mapping[str, int]) -> list[str | None]:
    """All names where they fit the screen; else the largest and the smallest, None between."""
    if len(names) <= _MOST_CLASSES:
        return list(names)
    ordered = sorted(names, key=lambda name: -counts[name])
    return [*ordered[:_FIRST], None, *ordered[-_LAST:]]


def _plan_rows(
    plan: Plan, asides: Mapping[str, Choice[str]], files: Mapping[Path, str]
) -> Iterator[tuple[str, str, str]]:
    choice, network = plan.choices, plan.network
    labels = choice["noise.labels"].value if "noise.labels" in choice else GIVEN
    grey = "grey" if network.channels == 1 else "colour"
    yield "labels", str(labels), choice["noise.kind"].because
    yield "images", f"{network.size} px, {grey}", choice["data.image_size"].because
    if "data.train_limit" in choice:
        limit = choice["data.train_limit"]
        yield "limited to", f"{limit.value:,}", limit.because
    yield from ((name, aside.value, aside.because) for name, aside in asides.items())
    yield "network", f"{network.backbone}, width {network.width}", choice["model.backbone"].because
    side = network.map_side
    yield "stem", f"{choice['model.stem'].value}, map {side}x{side}", choice["model.stem"].because
    method = choice["method.name"]
    yield "method", method_title(str(method.value)), method.because
    yield "epochs", str(choice["train.epochs"].value), choice["train.epochs"].because
    balance = choice["data.balance"]
    if balance.value != "none":
        yield "rare ones", "more often, late", balance.because
    batch = choice["train.batch_size"]
    yield "batch", counted(batch.value, "image"), batch.because
    precision = choice["train.precision"]
    yield "precision", str(precision.value), precision.because
    step = plan.step
    known = "measured" if step.measured else "estimated, not measured"
    yield "training", about(plan.seconds), f"{known}: {step.train:.2g} s a step on this machine"
    yield from (("writes", str(path), size) for path, size in files.items())

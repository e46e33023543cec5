"""The first section: what was trained on what, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eactf.evaluation.words import accuracy_of_images, lowest_with_classes, without_images
from eactf.recipe import Recipe
from eactf.report.page.blocks import Section, Table
from eactf.report.page.subject import MOST_SIDE_BY_SIDE, Subject, View
from eactf.report.table import BASELINE, Runs, tabulate
from eactf.wording import counted, format_duration

__all__ = ["in_words"]

_MOST_STORIES = 6
"""Of more runs than that the table alone says what came of them."""


def in_words(subject: Subject) -> Section:
    """What each run was, how it ended, and how it stands beside the baseline."""
    few = len(subject.views) <= _MOST_STORIES
    stories = [" ".join(_story(subject, view)) for view in subject.views] if few else []
    paragraphs = [*_in_common(subject), *stories]
    paragraphs += [f"{view.label}: {line}" for view, one in subject.seen for line in one.remarks]
    tables = [_settings(subject)]
    if subject.finished:
        tables.append(_figures(subject))
        notes = tabulate([_runs([view]) for view in subject.finished]).notes()
        paragraphs.append(f"Figures of the table: {'; '.join(notes[:2])}.")
    return Section("outcome", "In words", paragraphs, tables, list(_missing(subject)))


def _missing(subject: Subject) -> Iterator[str]:
    """What could not be shown; of many runs what they share is told once."""
    for view in subject.views:
        yield from (f"{view.label}: {sentence}" for sentence in view.facts.missing)
    reasons = {view.why_not for view in subject.views}
    if len(reasons) == 1 and len(subject.views) > 1:
        yield from (f"All runs: {reason}" for reason in reasons if reason)
    else:
        yield from (f"{view.label}: {view.why_not}" for view in subject.views if view.why_not)
    if len(subject.views) > MOST_SIDE_BY_SIDE:
        yield (
            f"Curves and confusion matrices are drawn of at most {MOST_SIDE_BY_SIDE} runs. Give "
            "fewer runs by name: eactf report RUN RUN."
        )


def _in_common(subject: Subject) -> Iterator[str]:
    """Data and noise, where they are the same for all runs."""
    data, noise = ({told(view) for view in subject.views} for told in (_data, _noise))
    if len(data) == 1:
        yield f"Trained on {data.pop()}. {noise.pop() if len(noise) == 1 else ''}".strip()


def _story(subject: Subject, view: View) -> Iterator[str]:
    facts = view.facts
    yield f"{view.label}: {_training(view)}."
    if len({_data(one) for one in subject.views}) > 1:
        yield f"Trained on {_data(view)}."
    if len({_data(one) + _noise(one) for one in subject.views}) > 1:
        yield _noise(view)
    if facts.result:
        yield from _outcome(facts.result)
        yield from _beside_baseline(subject, view)
        yield from _besides(facts.result)
    elif facts.epochs:
        accuracy = facts.epochs[-1].get("val_accuracy")
        told = "" if accuracy is None else f"; its accuracy on validation was then {accuracy:.2%}"
        yield f"It is {facts.state}, after {counted(len(facts.epochs), 'epoch')}{told}."
    else:
        yield f"It is {facts.state}, before the end of its first epoch."


def _training(view: View) -> str:
    facts, recipe = view.facts, view.facts.recipe
    text = facts.method
    if recipe is not None:
        text += f", {recipe.model.backbone}, {counted(recipe.train.epochs, 'epoch')}"
    if facts.result:
        text += f", trained in {format_duration(facts.result['seconds'])}"
        text += f" on {facts.result['devices']}" if "devices" in facts.result else ""
    return text


def _data(view: View) -> str:
    return str(view.facts.data.get("source", "data that the run does not name"))


def _noise(view: View) -> str:
    noise = view.facts.noise
    if not noise:
        return ""
    labels = counted(int(noise.get("samples", 0)), "training label")
    rate, kind = noise.get("realised"), noise.get("kind")
    if kind == "none":
        told = "" if rate is None else f", and {rate:.2%} of them differ from the true ones"
        return f"Of its {labels} none was made wrong on purpose{told}."
    wrong = "an unknown share" if rate is None else f"{rate:.2%}"
    return f"Of the {labels} {wrong} are wrong ({kind} noise)."


def _outcome(result: Mapping[str, Any]) -> Iterator[str]:
    last, mean = result["last_epoch"], result["mean_of_last_epochs"]
    accuracy = last["accuracy"]
    count = last.get("count")
    words = accuracy_of_images(accuracy, count) if count else f"{accuracy:.2%}"
    yield f"On {result['judged_on']} it predicts {words} rightly"
    lowest = ""
    if "lowest_recall" in last:
        told = lowest_with_classes(last["lowest_recall"], last["lowest_recall_classes"])
        lowest = f", lowest recall {told}"
    macro = f", macro recall {last['macro_recall']:.2%}" if "macro_recall" in last else ""
    yield f"after the last epoch{macro}{lowest};"
    yield f"the mean of its last epochs is {mean['accuracy']:.2%}."


def _besides(result: Mapping[str, Any]) -> Iterator[str]:
    """What became of the wrong labels, and what was wrong with the run."""
    last = result["last_epoch"]
    if result.get("memorised_wrong_labels") is not None:
        yield (
            "Of the wrongly labelled training images it learnt "
            f"{result['memorised_wrong_labels']:.1%} as labelled, and predicts "
            f"{result['recovered_wrong_labels']:.1%} as they truly are."
        )
    if result.get("collapsed"):
        yield "It collapsed: it predicts no better than the largest class."
    lacking = without_images(last.get("classes_without_images", ()), result["judged_on"])
    if lacking:
        yield f"There is {lacking}."


def _beside_baseline(subject: Subject, view: View) -> Iterator[str]:
    """How far above cross-entropy on the same data and labels the run is."""
    bases = [one for one in subject.finished if one.facts.method == BASELINE]
    base = next((one for one in bases if _judged(one) == _judged(view)), None)
    if base is None or view.facts.method == BASELINE:
        return
    points = 100 * (_mean(view) - _mean(base))
    direction = "above" if points >= 0 else "below"
    yield f"By that mean it is {abs(points):.1f} points {direction} the baseline, {base.label}."


def _judged(view: View) -> tuple[object, ...]:
    noise = view.facts.noise.get("sha256")
    return view.facts.data.get("fingerprint"), noise, view.facts.judged_on


def _mean(view: View) -> float:
    return float(view.facts.result["mean_of_last_epochs"]["accuracy"])


def _figures(subject: Subject) -> Table:
    """A row a recipe, its seeds together, as `compare` has it."""
    groups: dict[Recipe | str, list[View]] = {}
    for view in subject.finished:
        recipe = view.facts.recipe
        key = view.label if recipe is None else recipe.model_copy(update={"seed": 0})
        groups.setdefault(key, []).append(view)
    table = tabulate([_runs(group) for group in groups.values()])
    return Table("What came of it, in percent", table.columns(), table.cells())


def _runs(views: Sequence[View]) -> Runs:
    name = views[0].label
    if len(views) > 1:
        name += f" and {counted(len(views) - 1, 'other seed')}"
    return Runs(name, [view.facts.result for view in views])


def _settings(subject: Subject) -> Table:
    """What was run, a row a run."""
    columns = ["", "data", "noise", "method", "network", "epochs", "seed", "folder"]
    return Table("What was run", columns, [list(_row(view)) for view in subject.views])


def _row(view: View) -> Iterator[str]:
    facts, recipe = view.facts, view.facts.recipe
    yield view.label
    yield _data(view)
    rate = facts.noise.get("realised")
    yield str(facts.noise.get("kind", "-")) + ("" if rate is None else f", {rate:.2%} wrong")
    yield facts.method
    if recipe is None:
        yield from ("-", "-", "-")
    else:
        yield from (recipe.model.backbone, str(recipe.train.epochs), str(recipe.seed))
    yield str(facts.folder)

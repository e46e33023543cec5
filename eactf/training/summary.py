"""This module prints what a run is about to do, and its figures when it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.markup import escape

from eactf import console
from eactf.evaluation.interval import FEW_IMAGES
from eactf.evaluation.words import interval_of_few, lowest_with_classes, without_images
from eactf.kernels import describe_kernels, kernel_facts
from eactf.methods.base import Method
from eactf.methods.joint_distribution import JointDistribution
from eactf.methods.multi_task import MultiTask
from eactf.noise import NoiseManifest
from eactf.packed.records import Samples
from eactf.recipe import ResolvedRecipe
from eactf.suggestions import command_line
from eactf.training.progress import format_duration
from eactf.training.session import Session
from eactf.training.strategy import describe_devices
from eactf.wording import counted, enumerated

_MOST_CLASSES = 16
"""More are not listed one by one."""

__all__ = ["announce", "noise_summary", "show_result"]


def announce(session: Session, resolved: ResolvedRecipe, folder: Path | None) -> None:
    """Say what is about to be trained: recipe, data, label noise, network, devices."""
    data, recipe = session.data, session.recipe
    noise = noise_summary(data.manifest)
    test = f"{len(data.test):,}" if data.test else "none"
    map_size = getattr(session.method, "map_size", None)
    parameters = session.method.classifier.count_params()
    epochs = counted(recipe.train.epochs, "epoch")
    console.say(f"[bold]{escape(resolved.name)}[/bold]  {session.method.name}, {epochs}")
    if resolved.missed:
        names = ", ".join(resolved.missed)
        console.say(f"  left out   {names}: without effect under what was set over it")
    console.say(f"  data       {data.dataset.source}", markup=False)
    console.say(f"  classes    {_classes(data.train, data.class_names)}", markup=False)
    console.say(
        f"  samples    train {len(data.train):,}, validation {len(data.validation):,} "
        f"({data.validation_origin}), test {test}"
    )
    console.say(f"  noise      {_noise_line(noise)}")
    networks = len(getattr(session.method, "networks", ())) or 1
    together = " together" if networks > 1 else ""
    console.say(
        f"  {'network' if networks == 1 else f'{networks} networks':<10} {recipe.model.backbone}, "
        f"{parameters:,} parameters{together}, "
        f"{session.form.size} px, {counted(session.form.channels, 'channel')}"
        + (f", map {map_size[0]}x{map_size[1]}" if map_size else "")
    )
    for line in _head_lines(session.method):
        console.say(line, markup=False)
    if session.weights is not None:
        facts = session.weights.facts
        console.say(
            f"  weights    {session.weights.path} ({facts.backbone}, {facts.variant}, "
            f"from {facts.source})",
            markup=False,
        )
    console.say(f"  devices    {describe_devices(session.strategy)}, {recipe.train.precision}")
    if not tf.config.list_logical_devices("GPU"):
        console.say(f"  kernels    {describe_kernels()}", markup=False)
    if folder is not None:
        console.say(f"  folder     {folder}", markup=False)
    console.say()
    console.emit(
        "start",
        recipe=resolved.name,
        method=session.method.name,
        folder=None if folder is None else str(folder),
        train=len(data.train),
        validation=len(data.validation),
        test=len(data.test) if data.test else 0,
        classes=_class_counts(data.train, data.class_names),
        noise=noise,
        parameters=parameters,
        map_size=list(map_size) if map_size else None,
        weights=None if session.weights is None else str(session.weights.path),
        devices=describe_devices(session.strategy),
        kernels=kernel_facts(),
    )


def _head_lines(method: Method) -> Iterator[str]:
    """What a method of several kinds of labels learns, and the networks it plays with."""
    if not isinstance(method, MultiTask):
        return
    tasks = method.tasks
    heads = [f"{name} ({size} classes)" for name, size in tasks.classes.items()]
    heads += [f"{name} ({', '.join(columns)})" for name, columns in tasks.values.items()]
    yield f"  heads      {'; '.join(heads)}"
    if isinstance(method, JointDistribution):
        counts = [f"{net.count_params():,}" for net in (method.decoder, method.discriminator)]
        yield f"  against    a decoder and a discriminator, {' and '.join(counts)} parameters"


def _class_counts(train: Samples, class_names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(train.given, minlength=len(class_names))
    return dict(zip(class_names, counts.tolist(), strict=True))


def _classes(train: Samples, class_names: Sequence[str]) -> str:
    """How many training images each class has; of many classes the least and the most."""
    counts = _class_counts(train, class_names)
    if len(counts) <= _MOST_CLASSES:
        return ", ".join(f"{name} {count:,}" for name, count in counts.items())
    few, many = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    return f"{len(counts):,}, from {few} {counts[few]:,} to {many} {counts[many]:,}"


def noise_summary(manifest: NoiseManifest) -> dict[str, Any]:
    """Kind, requested and realised rate, samples left out, and the manifest's SHA-256."""
    realised = manifest.realised
    return {
        "kind": manifest.kind,
        "requested": manifest.requested,
        "realised": None if realised != realised else realised,
        "samples": len(manifest.ids),
        "dropped": manifest.dropped,
        "sha256": manifest.sha256,
    }


def show_result(result: Mapping[str, Any], folder: Path) -> None:
    """Print the figures of a finished run and the next step."""
    console.emit("result", folder=str(folder), **result)
    split = result["judged_on"]
    console.say()
    _show_figures(result, split)
    if split == "validation":
        console.say("  the data has no test split: these are the figures it was watched on")
    if result["memorised_wrong_labels"] is not None:
        console.say(
            "\nof the wrongly labelled training images, "
            f"{result['memorised_wrong_labels']:.1%} were learnt as labelled and "
            f"{result['recovered_wrong_labels']:.1%} are predicted as they truly are"
        )
    for number, line in enumerate(_two_network_lines(result)):
        console.say("\n" * (number == 0) + line)
    for name, value in result["given_values"].items():
        console.say(f"given {name}: concordance {value:.3f} with the true values, on train")
    if result["relabelled"]:
        console.say(f"\n{_relabel_line(result['relabelled'])}")
    if result["collapsed"]:
        console.warn(
            "collapsed: the consistency won before features formed, and the network predicts no "
            "better than the largest class. Set method.consistency_ramp to a quarter of the epochs "
            "or more, lower method.consistency_weight, or start from trained weights."
        )
    console.say(f"trained in {format_duration(result['seconds'])}; the classifier is in")
    model = folder / "model.keras"
    console.say(f"  {model}", markup=False)
    if (whole := folder / "encoder.keras").is_file():
        console.say(f"with all its outputs, by name, it is\n  {whole}", markup=False)
        model = whole
    console.say("next:")
    console.say(f"  {command_line('eactf', 'evaluate', folder)}", markup=False)
    console.say(f"  {command_line('eactf', 'report', folder)}", markup=False)
    console.say(f"  {command_line('eactf', 'predict', model, 'FACE.png')}", markup=False)


def _two_network_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """What each of two networks is worth alone, and what their division of the labels is."""
    alone = [network["mean_of_last_epochs"]["accuracy"] for network in result.get("networks", ())]
    if alone:
        told = " and ".join(f"{accuracy:.2%}" for accuracy in alone)
        yield f"each network alone, mean of the last epochs: {told} (network-1.keras, -2.keras)"
    division = result.get("division")
    for number, figures in enumerate(division["networks"] if division else (), start=1):
        line = f"network {number} keeps {figures['kept']:,} training labels (division.csv)"
        if figures.get("precision") is not None:
            line += f", {figures['precision']:.1%} of them right"
        if figures.get("recall") is not None:
            line += f"; they are {figures['recall']:.1%} of the right ones"
        if figures.get("area_under_curve") is not None:
            line += f"; area under the curve {figures['area_under_curve']:.3f}"
        yield line


def _show_figures(result: Mapping[str, Any], split: str) -> None:
    """The table of figures, a row a choice of epochs, and below it what it does not say itself."""
    last, count = result["last_epoch"], result["last_epoch"]["count"]
    cells = {
        "accuracy": lambda part: f"{part['accuracy']:.2%}",
        "95% interval": lambda part: interval_of_few(part["accuracy"], count),
        "top-5": lambda part: f"{part['top5_accuracy']:.2%}",
        "macro recall": lambda part: f"{part['macro_recall']:.2%}",
        "lowest recall": lambda part: lowest_with_classes(
            part["lowest_recall"], part["lowest_recall_classes"]
        ),
    }
    for name in last.get("concordance", ()):
        cells[name] = partial(_concordance, name)
    if count >= FEW_IMAGES:
        del cells["95% interval"]
    if "top5_accuracy" not in last:
        del cells["top-5"]
    console.table(
        [f"on {split}, {counted(count, 'image')}", *cells],
        [
            [label, *(write(section) for write in cells.values())]
            for label, section in _sections(result, split).items()
        ],
    )
    console.say("  macro recall, the mean of the classes' recalls, is the balanced accuracy")
    if "concordance" in last:
        console.say(f"  {enumerated(last['concordance'])}: concordance with the true values")
    lacking = without_images(last["classes_without_images"], split)
    if lacking:
        console.say(f"  {lacking}", markup=False)


def _concordance(name: str, part: Mapping[str, Any]) -> str:
    return f"{part['concordance'][name]:.3f}"


def _sections(result: Mapping[str, Any], split: str) -> dict[str, Mapping[str, Any]]:
    """The parts of a result that have an accuracy, under the headings that people read."""
    mean, best = result["mean_of_last_epochs"], result["best_on_validation"]
    sections = {
        "last epoch": result["last_epoch"],
        f"mean of the last {counted(mean['epochs'], 'epoch')}": mean,
        f"best on validation (epoch {best['epoch']})": best,
    }
    if result["best_on_test"]:
        epoch = result["best_on_test"]["epoch"]
        label = f"best on {split} itself (epoch {epoch}), optimistic"
        sections[label] = result["best_on_test"]
    return sections


def _relabel_line(facts: Mapping[str, Any]) -> str:
    changed = facts["samples_changed"]
    were = "was" if changed == 1 else "were"
    line = f"{counted(changed, 'training label')} {were} changed (relabels.csv)"
    if "changed_to_truth" in facts:
        line += f", {facts['changed_to_truth']:.1%} of them to the true one"
    if "wrong_after" in facts:
        line += f"; wrong before {facts['wrong_before']:.1%}, now {facts['wrong_after']:.1%}"
    return line


def _noise_line(noise: Mapping[str, Any]) -> str:
    if noise["kind"] == "none":
        return "none added"
    realised = "unknown" if noise["realised"] is None else f"{noise['realised']:.2%}"
    requested = "" if noise["requested"] is None else f" ({noise['requested']:.0%} requested)"
    left_out = counted(noise["dropped"], "sample")
    dropped = f", {left_out} without a label left out" if noise["dropped"] else ""
    return (
        f"{noise['kind']}, {realised} of the labels wrong{requested}{dropped}; "
        f"manifest {noise['sha256'][:12]}"
    )

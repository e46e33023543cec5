"""`eactf weights` brings in pretrained backbones from PyTorch and others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.nn.weight_import import Comparison, Preprocessing, WeightsFacts

__all__ = ["weights"]

_BACKBONES = ["resnet10", "resnet18", "resnet34", "resnet50"]
_SHOWN = 12


@click.group()
def weights() -> None:
    """Bring in pretrained backbones."""


def _numbers(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[float, ...] | None:
    """Numbers between commas."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError:
        expected = "expected numbers between commas, such as 0.5,0.5,0.5"
        raise click.BadParameter(f"{value!r}: {expected}") from None


@weights.command("import")
@click.argument("file", type=FILE_PATH)
@click.option("--backbone", required=True, type=click.Choice(_BACKBONES), help="What FILE holds.")
@click.option("-o", "--output", required=True, type=FILE_PATH, help="The .weights.h5 to write.")
@click.option(
    "--variant",
    type=click.Choice(["torchvision", "vggface2"]),
    help="Where the network strides and how it pools; by default vggface2 for a pickle of NumPy "
    "arrays, else torchvision.",
)
@click.option(
    "--preprocessing",
    type=click.Choice(["imagenet", "vggface2"]),
    help="What the network's images went through; by default vggface2 for a pickle of NumPy "
    "arrays, else imagenet.",
)
@click.option(
    "--mean", callback=_numbers, help="Mean of its images, a value a channel; wants --std too."
)
@click.option("--std", callback=_numbers, help="Deviation of its images, a value a channel.")
@click.option(
    "--scale",
    type=float,
    help="What pixels of 0..255 were divided by before --mean and --std: 255, or 1.",
)
@click.option(
    "--channel-order",
    type=click.Choice(["RGB", "BGR"]),
    help="Order in which the network took the channels, and of --mean and --std. Default: RGB, "
    "or the preprocessing's.",
)
@click.option(
    "--stem",
    type=click.Choice(["imagenet", "small", "compact"]),
    help="First layers as in model.stem; by default by the first kernel: 7x7 imagenet, 3x3 small.",
)
@click.option("--prefix", help="Which of several networks in FILE: what its names start with.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@json_option
def import_(
    file: Path,
    backbone: str,
    output: Path,
    variant: str | None,
    preprocessing: str | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    scale: float | None,
    channel_order: str | None,
    stem: str | None,
    prefix: str | None,
    overwrite: bool,
) -> None:
    """Convert FILE to weights for model.weights in a recipe.

    FILE is a PyTorch checkpoint (.pth, .pt), a pickle of NumPy arrays as VGGFace2's, or a
    .safetensors. Nothing in it is run, and PyTorch is not needed.

    \b
    eactf weights import checkpoint.pth --backbone resnet18 -o face.weights.h5
    eactf weights import resnet50_ft_weight.pkl --backbone resnet50 -o vggface2.weights.h5
    """
    if not output.name.endswith(".weights.h5"):
        raise UsageError(
            f"-o {output}: the name must end in .weights.h5", hint=f"-o {output.stem}.weights.h5"
        )
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.nn.weight_import import ImportOptions, import_weights

    prepared = _preprocessing(preprocessing, mean, std, scale, channel_order)
    options = ImportOptions(backbone, variant, prepared, stem, prefix)
    made = import_weights(file, output, options, overwrite=overwrite, compared=_show_comparison)
    console.emit("imported", output=str(output), **made.facts.model_dump())
    console.say(f"\nwritten: {output}", markup=False)
    _show_facts(made.facts)
    if preprocessing is None and mean is None:
        console.say("  if its images were prepared otherwise, say so: --preprocessing or --mean")
    console.say(f"\nnext: {_next_command(output, made.facts)}", markup=False)


@weights.command()
@click.argument("file", type=FILE_PATH)
@json_option
def show(file: Path) -> None:
    """Say what a weights file that was imported is for."""
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.nn.weight_import import open_weights

    found = open_weights(file)
    parameters = sum(values.size for values in found.values.values())
    console.emit("weights", path=str(file), values=parameters, **found.facts.model_dump())
    held = f"{counted(len(found.values), 'tensor')}, {counted(parameters, 'value')}"
    console.say(f"{file}: {held}", markup=False)
    _show_facts(found.facts)
    console.say(f"\nnext: {_next_command(file, found.facts)}", markup=False)


def _preprocessing(
    name: str | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    scale: float | None,
    order: str | None,
) -> Preprocessing | None:
    """What the flags say of the network's images; None where they say nothing."""
    from dataclasses import replace

    from eactf.nn.weight_import import PRESETS, Preprocessing

    if (mean is None) != (std is None):
        raise UsageError("--mean and --std go together; give both")
    if mean is not None and std is not None:
        if name is not None:
            raise UsageError("--preprocessing and --mean both say how images were prepared")
        return Preprocessing.of(mean, std, scale=scale, order=order or "RGB")
    if scale is not None:
        raise UsageError("--scale is the unit of --mean and --std; give them too")
    if name is None and order is not None:
        raise UsageError(
            f"--channel-order {order} needs the rest of the preprocessing",
            hint="add --preprocessing imagenet or vggface2, or --mean and --std",
        )
    if name is None:
        return None
    return PRESETS[name] if order is None else replace(PRESETS[name], order=order)


def _show_comparison(found: Comparison) -> None:
    console.emit("compared", **found.as_dict())
    inside = f" under '{found.file.inside}'" if found.file.inside else ""
    prefix = f", names after '{found.prefix}'" if found.prefix else ""
    held = f"{found.file.form}, {len(found.file.tensors)} tensors{inside}{prefix}"
    console.say(f"{found.file.path}: {held}\n", markup=False)
    parts = [
        [part, matched, expected, "" if matched == expected else "incomplete"]
        for part, (matched, expected) in found.by_part().items()
    ]
    total = [f"all of {found.backbone}", len(found.matched), found.expected, ""]
    console.table(["part", "matched", "of", ""], [*parts, total])
    for line in _unmatched(found):
        console.say(f"  {line}", markup=False)


def _unmatched(found: Comparison) -> Iterator[str]:
    yield from _listed("missing in the file", found.missing)
    shapes = [f"{m.name} {m.found}, expected {m.expected}" for m in found.mismatched]
    yield from _listed("of another shape", shapes)
    yield from _listed(f"in its network, but not in a {found.backbone}", found.strange)
    left = [f"{name} {shape}" for name, shape in found.left_over.items()]
    yield from _listed("left over (not of the backbone)", left)
    if found.counters:
        yield f"{found.counters} batch counters, not needed"
    if found.has_vggface2_head:
        yield "a head of 8631 classes: if these are the VGGFace2 release's weights, then give"
        yield "  --variant vggface2 --preprocessing vggface2 (taken for granted of its .pkl only)"


def _listed(title: str, names: list[str] | tuple[str, ...]) -> Iterator[str]:
    if names:
        yield f"{len(names)} {title}:"
        for name in names[:_SHOWN]:
            yield f"  {ascii(name)[1:-1]}"
        if len(names) > _SHOWN:
            yield f"  ... and {len(names) - _SHOWN} more (--json lists all)"


def _show_facts(facts: WeightsFacts) -> None:
    mean, std = (", ".join(f"{value:.6g}" for value in row) for row in (facts.mean, facts.std))
    console.say(
        f"  network        {facts.backbone}, variant {facts.variant}, stem {facts.stem}, "
        f"width {facts.width}"
    )
    channels = counted(facts.channels, "channel")
    console.say(f"  images         {channels}, mean {mean}, std {std} (0..255)")
    if facts.channel_order == "BGR":
        console.say("  channel order  was BGR; the first kernel is turned, so that it takes RGB")


def _next_command(path: Path, facts: WeightsFacts) -> str:
    from eactf.recipe.strict_yaml import write_scalar

    settings = (
        f"model.weights={write_scalar(str(path))}",
        f"model.backbone={facts.backbone}",
        f"model.stem={facts.stem}",
        f"model.width={facts.width}",
        f"data.channels={facts.channels}",
        "data.normalization=weights",
    )
    changes = [word for setting in settings for word in ("--set", setting)]
    return command_line("eactf", "train", "--recipe", "RECIPE", *changes)

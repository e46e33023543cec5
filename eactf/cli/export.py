"""`eactf export` writes a classifier for ONNX Runtime, TFLite or TensorFlow Serving."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option

if TYPE_CHECKING:
    from eactf.export.exporting import Exported

__all__ = ["export"]


@click.command()
@click.argument("model", type=FILE_PATH)
@click.option(
    "--to",
    "runtime",
    required=True,
    type=click.Choice(["onnx", "tflite", "savedmodel"]),
    help="Whose file to write.",
)
@click.option(
    "-o",
    "--output",
    type=FILE_PATH,
    help="The file, or a SavedModel's folder; by default beside MODEL.",
)
@click.option("--logits", is_flag=True, help="Give logits instead of probabilities.")
@click.option("--maps", is_flag=True, help="Give class activation maps as a second output.")
@click.option("--int8", is_flag=True, help="TFLite: weights and arithmetic in 8-bit integers.")
@click.option(
    "--data",
    type=FILE_PATH,
    help="Labelled images to compare on, as evaluate takes them; else the run's own data.",
)
@click.option(
    "--calibration",
    multiple=True,
    type=FILE_PATH,
    help="Images, or a folder of them, that give the ranges for --int8; else the training split.",
)
@click.option(
    "--images",
    "most",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Compare on so many images at the most.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@json_option
def export(
    model: Path,
    runtime: str,
    output: Path | None,
    logits: bool,
    maps: bool,
    int8: bool,
    data: Path | None,
    calibration: tuple[Path, ...],
    most: int,
    overwrite: bool,
) -> None:
    """Write MODEL, a model.keras or a run's folder, for another runtime.

    The file takes pixels of 0..255, any number of images at a time, and says in its metadata how
    they are prepared and what the classes are called. It is run in its own runtime and compared
    with Keras before it gets its name.

    \b
    eactf export runs/quickstart --to onnx
    eactf export model.keras --to tflite --int8 --data faces.h5
    eactf export runs/quickstart --to savedmodel --maps --logits
    """
    from eactf.export.form import ExportForm, Runtime, check_output, require_packages

    form = ExportForm(Runtime(runtime), logits, maps, int8)
    require_packages(form.runtime)
    if output is not None:
        check_output(output, form.runtime, overwrite=overwrite)
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.export.exporting import export_classifier

    console.say(f"converting {model}, and running what comes out beside it ...", markup=False)
    exported = export_classifier(
        model,
        form,
        output=output,
        data=data,
        calibration=calibration,
        most=most,
        overwrite=overwrite,
    )
    console.emit(
        "exported",
        model=str(exported.classifier),
        path=str(exported.path),
        bytes=exported.size,
        compared_on=exported.compared_on,
        remarks=list(exported.remarks),
        **exported.parity.as_dict(),
        facts=exported.facts,
    )
    _show(exported)


def _show(exported: Exported) -> None:
    facts = exported.facts
    lines = (
        f"{exported.path}, {_size(exported.size)}, from {exported.classifier}",
        f"  takes     {_shape(facts['input'])} {facts['input']['dtype']}, 0..255,"
        f" {facts['preprocessing']['colours']}",
        *(f"  gives     {name} {_shape(output)}" for name, output in facts["outputs"].items()),
        f"  compared  with Keras on {exported.compared_on}: {_differences(exported)}",
        *_accuracy(exported),
    )
    for line in lines:
        console.say(line, markup=False)
    for remark in exported.remarks:
        console.warn(remark)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _shape(value: dict[str, list[int | None]]) -> str:
    return f"({', '.join('n' if side is None else str(side) for side in value['shape'])})"


def _differences(exported: Exported) -> str:
    parity = exported.parity
    named = ", ".join(f"{name} {value:.1e}" for name, value in parity.largest.items())
    same = "all" if parity.agree == parity.images else f"{parity.agree:,}"
    return f"largest difference {named}; the same class for {same}"


def _accuracy(exported: Exported) -> list[str]:
    from eactf.evaluation.words import accuracy_of_images

    parity = exported.parity
    if parity.accuracy is None:
        return []
    keras, file = parity.accuracy
    told = f"  accuracy  {accuracy_of_images(file, parity.images)}, Keras {keras:.2%}"
    if parity.lost or parity.gained:
        told += f": {parity.lost} are lost, {parity.gained} gained"
    return [told]

"""`compare` says which of a file's tensors fit a backbone, and what is missing or left over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eactf.errors import DataError, UsageError
from eactf.nn.weight_import.naming import (
    Layout,
    Variable,
    fitting_backbone,
    layouts,
    network_variables,
)
from eactf.nn.weight_import.tensors import TensorFile

__all__ = ["Comparison", "Mismatch", "compare"]

_WIDTHS = range(4, 257)
_STEMS = {7: "imagenet", 3: "small"}
"""The stem by the side of its kernel. A 3x3 stem with stride 2 looks the same: say so then."""


@dataclass(frozen=True)
class Mismatch:
    """A tensor that the file has in another shape than the backbone, both as PyTorch has them."""

    name: str
    expected: tuple[int, ...]
    found: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """How a file's tensors fit a backbone.

    `matched` maps the file's names to our variables. `missing` are variables that the file lacks,
    in torchvision's spelling; `mismatched` those of another shape. `strange` are tensors inside the
    network that the backbone has no place for: with them the features would differ. `left_over` are
    tensors outside it, such as the head, with their shapes; `counters` the number of
    `num_batches_tracked`, which nothing needs.
    """

    file: TensorFile
    backbone: str
    stem: str
    width: int
    channels: int
    prefix: str
    matched: Mapping[str, Variable]
    missing: tuple[str, ...]
    mismatched: tuple[Mismatch, ...]
    strange: tuple[str, ...]
    left_over: Mapping[str, tuple[int, ...]]
    counters: int
    fits: str | None

    @property
    def expected(self) -> int:
        """How many tensors the backbone has."""
        return len(self.matched) + len(self.missing) + len(self.mismatched)

    @property
    def has_vggface2_head(self) -> bool:
        """Whether a tensor left over has a row for each of the 8,631 people of VGGFace2."""
        return any(shape[:1] == (8631,) for shape in self.left_over.values())

    def by_part(self) -> dict[str, tuple[int, int]]:
        """Of the stem and each stage, how many tensors matched, of how many."""
        wrong = [*self.missing, *(mismatch.name for mismatch in self.mismatched)]
        without = Counter(_part(name) for name in wrong)
        matched = Counter(_part(variable.torch) for variable in self.matched.values())
        parts = sorted(without.keys() | matched.keys(), key=lambda part: (part != "stem", part))
        return {part: (matched[part], matched[part] + without[part]) for part in parts}

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON knows it."""
        return {
            "source": str(self.file.path),
            "form": self.file.form,
            "inside": self.file.inside,
            "prefix": self.prefix,
            "backbone": self.backbone,
            "stem": self.stem,
            "width": self.width,
            "channels": self.channels,
            "expected": self.expected,
            "matched": {name: f"{v.layer}/{v.name}" for name, v in self.matched.items()},
            "missing": list(self.missing),
            "mismatched": [vars(mismatch) for mismatch in self.mismatched],
            "strange": list(self.strange),
            "left_over": {name: list(shape) for name, shape in self.left_over.items()},
            "counters": self.counters,
        }

    def refuse_unless_whole(self) -> None:
        """Raise `DataError` unless every variable of the backbone is in the file, and no other."""
        faults = list(self._faults())
        if faults:
            raise DataError(
                f"{self.file.path} does not hold a whole {self.backbone}: {'; '.join(faults)}",
                hint=self._advice(),
            )

    def _faults(self) -> Iterator[str]:
        if self.missing:
            yield f"missing: {_some(self.missing)}"
        for mismatch in self.mismatched[:3]:
            yield f"{mismatch.name} has shape {mismatch.found}, expected {mismatch.expected}"
        if len(self.mismatched) > 3:
            yield f"{len(self.mismatched) - 3} more have another shape"
        if self.strange:
            yield f"no part of a {self.backbone}: {_some(self.strange)}"

    def _advice(self) -> str:
        if self.fits and self.fits != self.backbone:
            return f"its names are those of a {self.fits}: --backbone {self.fits}"
        return "import a checkpoint of this very network; nothing was written"


def compare(
    file: TensorFile, backbone: str, *, prefix: str | None = None, stem: str | None = None
) -> Comparison:
    """How the tensors of `file` fit `backbone`, one of `RESNETS`.

    Width and channels, and `stem` where it is not given, are those of the file's first kernel.
    `prefix` chooses among several networks of one file. Raises `DataError` where the file holds no
    residual network or several, or a first kernel like none of ours.
    """
    layout = _choose(file, prefix)
    first = layout.names.get("conv1.weight")
    if first is None:
        raise _no_network(file, "its first convolution (conv1.weight) is missing")
    shape = file.tensors[first].shape
    width, channels, own_stem = _first_kernel(file, first, shape)
    stem = stem or own_stem
    matched, missing, mismatched = {}, [], []
    for variable in network_variables(backbone, stem=stem, width=width, channels=channels):
        name = layout.names.get(variable.torch)
        if name is None:
            missing.append(variable.torch)
        elif file.tensors[name].shape != torch_shape(variable):
            found = file.tensors[name].shape
            mismatched.append(Mismatch(variable.torch, torch_shape(variable), found))
        else:
            matched[name] = variable
    known = {variable.torch for variable in matched.values()}
    known |= {*missing, *(mismatch.name for mismatch in mismatched)}
    strange = tuple(layout.names[name] for name in layout.within_blocks() if name not in known)
    spoken_for = {*strange, *(layout.names[name] for name in known if name in layout.names)}
    left_over = {
        name: tensor.shape for name, tensor in file.tensors.items() if name not in spoken_for
    }
    counters = [name for name in left_over if name.endswith("num_batches_tracked")]
    for name in counters:
        del left_over[name]
    return Comparison(
        file=file,
        backbone=backbone,
        stem=stem,
        width=width,
        channels=channels,
        prefix=layout.prefix,
        matched=matched,
        missing=tuple(missing),
        mismatched=tuple(mismatched),
        strange=strange,
        left_over=left_over,
        counters=len(counters),
        fits=fitting_backbone(layout),
    )


def torch_shape(variable: Variable) -> tuple[int, ...]:
    """The shape of a variable as PyTorch has it: `(out, in, rows, columns)` for kernels."""
    if len(variable.shape) != 4:
        return variable.shape
    rows, columns, inputs, outputs = variable.shape
    return outputs, inputs, rows, columns


def _choose(file: TensorFile, prefix: str | None) -> Layout:
    found = layouts(file.tensors)
    if not found:
        raise _no_network(file, "none of its names is that of a residual network")
    if prefix is not None:
        wanted = f"{prefix.rstrip('.')}." if prefix else ""
        found = [layout for layout in found if layout.prefix == wanted]
        if not found:
            there = ", ".join(repr(layout.prefix) for layout in layouts(file.tensors))
            raise UsageError(
                f"--prefix {prefix}: {file.path} has no residual network under that name",
                hint=f"it has them under: {there}",
            )
    most = max(len(list(layout.within_blocks())) for layout in found)
    best = [layout for layout in found if len(list(layout.within_blocks())) == most]
    if len(best) > 1:
        names = ", ".join(repr(layout.prefix) for layout in best)
        raise DataError(
            f"{file.path} holds {len(best)} residual networks, under {names}",
            hint=f"choose one: --prefix {best[0].prefix.rstrip('.') or repr('')}",
        )
    return best[0]


def _first_kernel(file: TensorFile, name: str, shape: tuple[int, ...]) -> tuple[int, int, str]:
    """Width, channels and stem by the first kernel."""
    if len(shape) == 4 and shape[0] in _WIDTHS and shape[1] in (1, 3):
        stem = _STEMS.get(shape[2])
        if stem is not None and shape[2] == shape[3]:
            return shape[0], shape[1], stem
    raise DataError(
        f"{file.path}: the first kernel {name!r} has shape {shape}; expected (width, 3 or 1, 7, 7)"
        " or (width, 3 or 1, 3, 3), of at most 256 channels",
        hint="only residual networks with such a first layer can be imported",
    )


def _no_network(file: TensorFile, reason: str) -> DataError:
    names = ", ".join(ascii(name[:60]) for name in list(file.tensors)[:6])
    return DataError(
        f"{file.path}: no tensor matched, {reason}",
        hint=f"it holds {len(file.tensors)} tensors: {names}, ...; expected names such as "
        "conv1.weight, layer1.0.conv1.weight, with any prefix",
    )


def _part(name: str) -> str:
    stage = re.match(r"layer\d+", name)
    return stage.group() if stage else "stem"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(ascii(name[:60]) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

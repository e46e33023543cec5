"""The same steps by hand in PyTorch: the peer that eactf is measured against.

What a careful author would write: channels last, one matrix product for the maps, no loop over
images. Architecture, losses, erasing rule and optimiser are eactf's own choices, so that both
sides do the same arithmetic; nothing is compiled on either side.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from eactf_step import make_batch
from torch import Tensor, nn
from torch.nn import functional
from workers import NETWORKS, Case, Network, Settings

__all__ = ["Framework"]

_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_PROBABILITY, _AREA, _ASPECT, _ATTEMPTS = 0.5, (0.02, 0.25), (0.3, 3.3), 10
_CONSISTENCY_WEIGHT = 5.0


class Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Identity()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return functional.relu(y + self.shortcut(x), inplace=True)


class ResNet(nn.Module):
    """Images `(n, c, h, w)` -> the last map `(n, 8 * width, ...)`; `head` is the dense layer."""

    def __init__(self, network: Network, channels: int, classes: int) -> None:
        super().__init__()
        width = network.width
        kernel, stride = (7, 2) if network.stem == "imagenet" else (3, 1)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        if network.stem == "imagenet":
            self.stem.append(nn.MaxPool2d(3, 2, 1))
        stages, before = [], width
        for stage in range(4):
            after = width * 2**stage
            stages.append(Block(before, after, 2 if stage else 1))
            stages += [Block(after, after, 1) for _ in range(network.blocks - 1)]
            before = after
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(self.stem(x))


class Framework:
    """Steps of EAC and of plain cross-entropy, each with a network and an optimiser of its own."""

    def __init__(self, settings: Settings) -> None:
        torch.set_num_threads(settings.threads)
        torch.manual_seed(1)
        self.settings = settings
        self.parameters: set[int] = set()
        images, labels, _ = make_batch(settings)
        # A view: (n, h, w, c) in memory is what torch calls channels last.
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(labels)
        self._steps = {case: self._prepare(case) for case in settings.cases}
        self._operand = torch.rand(2048, 2048)

    def step(self, case: Case) -> float:
        return self._steps[case]()

    def calibrate(self) -> float:
        start = time.perf_counter()
        float(torch.mm(self._operand, self._operand).sum())
        return 2 * 2048**3 / (time.perf_counter() - start) / 1e9

    def describe(self) -> dict[str, Any]:
        return {
            "name": "torch",
            "versions": {"torch": torch.__version__},
            "threads": torch.get_num_threads(),
            "parameters": sorted(self.parameters),
        }

    def _prepare(self, case: Case) -> Callable[[], float]:
        settings = self.settings
        network = ResNet(NETWORKS[settings.network], settings.channels, settings.classes)
        network = network.to(memory_format=torch.channels_last).train()
        self.parameters.add(sum(parameter.numel() for parameter in network.parameters()))
        optimizer = torch.optim.Adam(
            network.parameters(),
            lr=1e-4,
            weight_decay=1e-4,
            eps=1e-8,
            fused=settings.fused_adam or None,
        )
        objective = _eac if case.method == "eac" else _cross_entropy
        low = case.precision == "bfloat16"

        def features(view: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
                maps = network(view)
            return maps.float()

        def step() -> float:
            images = normalized(self.images)
            loss, logits = objective(features, network.head, images, self.labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            (logits.detach().argmax(1) == self.labels).sum().item()  # the running accuracy
            return loss.item()

        return step


def _eac(features: Any, head: nn.Linear, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    original = erase(images)
    maps, mirrored_maps = features(original), features(original.flip(3))
    logits = head(maps.mean((2, 3)))
    kernel = head.weight.detach().t()
    cam = maps.permute(0, 2, 3, 1) @ kernel
    mirrored_cam = mirrored_maps.permute(0, 2, 3, 1) @ kernel
    consistency = functional.mse_loss(cam, mirrored_cam.flip(2))
    return functional.cross_entropy(logits, labels) + _CONSISTENCY_WEIGHT * consistency, logits


def _cross_entropy(
    features: Any, head: nn.Linear, images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    images = erase(images)
    mirrored = torch.rand(len(images)) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    logits = head(features(images).mean((2, 3)))
    return functional.cross_entropy(logits, labels), logits


def normalized(images: Tensor) -> Tensor:
    """Images in 0..255 of any dtype as float32 with ImageNet's mean and deviation taken out."""
    channels = images.shape[1]
    mean, std = torch.tensor(_MEAN), torch.tensor(_STD)
    if channels != len(_MEAN):
        mean, std = mean.mean().expand(channels), std.mean().expand(channels)
    return (images.float() - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)


def erase(images: Tensor) -> Tensor:
    """`eactf.nn.erase`'s rule on normalised `(n, c, h, w)`, all images at once; 0 is the mean."""
    count, _, height, width = images.shape
    area = torch.empty(count, _ATTEMPTS).uniform_(*_AREA) * (height * width)
    ratio = torch.empty(count, _ATTEMPTS).uniform_(*map(math.log, _ASPECT)).exp()
    heights, widths = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (heights < height) & (widths < width)
    first = fits.int().argmax(1, keepdim=True)
    erased = (torch.rand(count) < _PROBABILITY) & fits.any(1)
    rows = _inside(heights.gather(1, first), height)
    columns = _inside(widths.gather(1, first), width)
    mask = rows[:, :, None] & columns[:, None, :] & erased[:, None, None]
    # Not masked_fill: given a mask to broadcast, it leaves channels last.
    return torch.where(mask[:, None], 0.0, images)


def _inside(block: Tensor, length: int) -> Tensor:
    start = (torch.rand(len(block), 1) * (length - block + 1)).floor()
    position = torch.arange(length)[None, :]
    return (position >= start) & (position < start + block)

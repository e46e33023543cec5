"""This package holds the networks and the operations inside them."""

from eactf.nn import adversarial
from eactf.nn.classifier import build_classifier, open_classifier
from eactf.nn.erasing import erase
from eactf.nn.normalization import FusedBatchNormalization
from eactf.nn.resnet import resnet

__all__ = [
    "FusedBatchNormalization",
    "adversarial",
    "build_classifier",
    "erase",
    "open_classifier",
    "resnet",
]

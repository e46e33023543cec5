"""This package imports pretrained backbones from the files that users have.

`import_weights` turns a PyTorch checkpoint, a pickle of NumPy arrays or a safetensors file into a
weights file of ours, which `open_weights` reads. No code in those files is run, and no PyTorch is
needed. Features then agree with PyTorch's (to 1e-4, which the tests check): padding is symmetric,
batch normalisation has epsilon 1e-5, and what differs between releases is the network's `variant`.
"""

from eactf.nn.weight_import.comparison import Comparison, compare
from eactf.nn.weight_import.conversion import ImportOptions, import_weights
from eactf.nn.weight_import.preprocessing import PRESETS, Preprocessing, imagenet_for
from eactf.nn.weight_import.reading import open_tensors
from eactf.nn.weight_import.weights_file import BackboneWeights, WeightsFacts, open_weights

__all__ = [
    "PRESETS",
    "BackboneWeights",
    "Comparison",
    "ImportOptions",
    "Preprocessing",
    "WeightsFacts",
    "compare",
    "imagenet_for",
    "import_weights",
    "open_tensors",
    "open_weights",
]

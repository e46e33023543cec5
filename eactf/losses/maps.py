"""Class activation maps, and how far those of two views of an image are apart."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from eactf.losses.arguments import check_shape, raised

__all__ = ["class_activation_maps", "flip_consistency", "map_spread", "scale_consistency"]

Tensor = Any


def class_activation_maps(features: Tensor, kernel: Tensor) -> Tensor:
    """Class activation maps of every class, `(N, H, W, L)` (EAC, eq. 1).

    `features` is `(N, H, W, C)`, the last convolutional map; `kernel` is `(C, L)`, the kernel of
    the dense layer behind the global average pooling. No bias, no rectifier, no rescaling: the
    mean of a map over its positions is the class's logit less its bias. One matrix product;
    nothing of size N x L x C x H x W is made. Gradients reach both arguments: pass
    `ops.stop_gradient(kernel)` for EAC. Raises `ValueError` for other shapes.
    """
    features, kernel = raised(features, kernel)
    check_shape("kernel must be (channels, classes)", kernel, (None, None))
    channels = kernel.shape[0]
    expected = f"features must be (n, height, width, {channels}) for this kernel"
    check_shape(expected, features, (None, None, None, channels))
    # Two axes only: TensorFlow 2.21's oneDNN product of four-axis arrays corrupts memory where
    # one of the axes is 1.
    rows = ops.matmul(ops.reshape(features, (-1, channels)), kernel)
    return ops.reshape(rows, (*ops.shape(features)[:-1], kernel.shape[1]))


def flip_consistency(cam: Tensor, mirrored_cam: Tensor) -> Tensor:
    """Mean squared distance between a CAM and the CAM of the mirrored image, flipped back.

    Both maps are `(N, H, W, L)`; `mirrored_cam` is as the mirrored image gave it. Mean over all
    four axes (EAC, eq. 3, its norm read as a sum over positions). Gradients reach both maps.
    Raises `ValueError` for maps of other or unequal shapes.
    """
    cam, mirrored_cam = raised(cam, mirrored_cam)
    check_shape("cam must be (n, height, width, classes)", cam, (None,) * 4)
    check_shape(f"mirrored_cam must be of cam's shape {cam.shape}", mirrored_cam, cam.shape)
    return ops.mean(ops.square(cam - ops.flip(mirrored_cam, axis=2)))


def map_spread(cam: Tensor) -> Tensor:
    """How far maps are from flat: the standard deviation over positions, averaged, a scalar.

    `cam` is `(N, H, W, L)`. Flat maps satisfy the consistency loss perfectly and say nothing. In a
    run that learns the spread grows with the logits; one that stays near its first value, or falls,
    while accuracy stays at the largest class's share is a collapse.
    """
    (cam,) = raised(cam)
    check_shape("cam must be (n, height, width, classes)", cam, (None,) * 4)
    return ops.mean(ops.std(cam, axis=(1, 2)))


def scale_consistency(cam: Tensor, smaller_cam: Tensor) -> Tensor:
    """Mean squared distance between the CAMs of an image at two sizes, a scalar.

    `cam` is `(N, H, W, L)`, `smaller_cam` `(N, h, w, L)`; sizes are static. Both are brought to the
    least common multiple of their sizes by repeating positions (Guo et al., "Visual attention
    consistency under image transforms", CVPR 2019: 7 x 7 and 6 x 6 to 42 x 42). Gradients reach
    both. Raises `ValueError` for other shapes and for unequal N or L.
    """
    cam, smaller_cam = raised(cam, smaller_cam)
    check_shape("cam must be (n, height, width, classes)", cam, (None,) * 4)
    expected = f"smaller_cam must have the images and classes of cam, of shape {cam.shape}"
    check_shape(expected, smaller_cam, (cam.shape[0], None, None, cam.shape[3]))
    for axis in (1, 2):
        sizes = cam.shape[axis], smaller_cam.shape[axis]
        common = math.lcm(*sizes)
        cam = ops.repeat(cam, common // sizes[0], axis=axis)
        smaller_cam = ops.repeat(smaller_cam, common // sizes[1], axis=axis)
    return ops.mean(ops.square(cam - smaller_cam))

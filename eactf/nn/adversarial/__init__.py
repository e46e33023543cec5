"""The networks of joint-distribution learning: an encoder, a decoder and their discriminator.

The encoder reads labels and latent noise from an image, the decoder makes an image from labels and
noise, and the discriminator tells the one's tuples (image, noise, labels) from the other's ("Facial
emotion recognition with noisy multi-task annotations", Zhang, Huang, Ni, Gomes, WACV 2021, with its
published code). The encoder is of Keras' own layers; the others have layers from here, which are
saved and loaded as any others once this package is imported.
"""

from eactf.nn.adversarial.attention import SelfAttention
from eactf.nn.adversarial.blocks import BranchedDense, DiscriminatorBlock
from eactf.nn.adversarial.decoding import decoder
from eactf.nn.adversarial.discriminating import discriminator, score_names
from eactf.nn.adversarial.encoding import encoder
from eactf.nn.adversarial.spectral import SpectralNormalized

__all__ = [
    "BranchedDense",
    "DiscriminatorBlock",
    "SelfAttention",
    "SpectralNormalized",
    "decoder",
    "discriminator",
    "encoder",
    "score_names",
]

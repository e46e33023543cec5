"""This module draws the numbers of a face: its identity, expression, pose, light and covers.

Lengths are in face units: the origin is the middle of the face, x runs right, y down, and the
chin of an average head is at y = 1. Every number is an array of shape (n, 1, 1), one per face,
ready to broadcast against (n, size, size) pixel grids. All of them are pure functions of
(seed, face index, difficulty), and only operations that IEEE 754 rounds exactly are used (no sin,
exp or pow), so that the same face comes out on every platform.

A mirrored face must mean the same, so every number that tells left from right (yaw, rotation,
one-sided smiles, the side of the light) has a distribution that is symmetric about zero.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from eactf.packed.hashing import uniform

Array = npt.NDArray[np.floating]  # float32 at run time
Ints = npt.NDArray[np.int64]

EXPRESSIONS: Final = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")

# What each expression does to the face at full strength, in the order of EXPRESSIONS. The units
# are those of the renderer: 1 is a movement that a person reads at once. Fear and surprise, anger
# and disgust, sadness and neutral are neighbours on purpose.
_ACTIONS: Final[dict[str, tuple[float, ...]]] = {
    #              neutral happy surprise sad  anger disgust fear
    "brow_raise": (0.0, 0.10, 1.00, 0.10, -0.60, -0.50, 0.70),
    "brow_inner": (0.0, 0.00, 0.05, 0.95, -0.95, -0.35, 0.70),
    "brow_outer": (0.0, 0.00, 0.15, -0.55, 0.35, 0.10, -0.25),
    "brow_knit": (0.0, 0.00, -0.10, 0.45, 1.00, 0.60, 0.60),
    "brow_arch": (0.0, 0.20, 0.80, -0.20, -0.10, -0.20, -0.20),
    "eye_open": (0.0, -0.25, 0.75, -0.38, 0.05, -0.40, 0.80),
    "eye_squint": (0.0, 0.70, -0.10, 0.00, 0.45, 0.90, -0.05),
    "eye_droop": (0.0, 0.00, 0.00, 0.80, -0.45, 0.00, 0.20),
    "mouth_wide": (0.0, 0.55, -0.38, -0.12, 0.05, 0.05, 0.30),
    "mouth_corner": (0.0, 1.00, 0.00, -0.95, -0.45, -0.60, -0.40),
    "mouth_open": (0.0, 0.38, 1.00, 0.00, 0.10, 0.18, 0.45),
    "mouth_square": (0.0, 0.00, 0.00, 0.00, 0.70, 0.20, 0.80),
    "lip_raise": (0.0, 0.05, 0.00, 0.00, 0.00, 1.00, 0.05),
    "lip_press": (0.0, 0.15, 0.00, 0.10, 0.75, 0.00, 0.20),
    "teeth": (0.0, 1.00, 0.20, 0.00, 0.90, 0.60, 0.80),
    "nose_wrinkle": (0.0, 0.05, 0.00, 0.00, 0.20, 1.00, 0.00),
    "cheek_line": (0.05, 0.90, 0.00, 0.20, 0.25, 0.80, 0.10),
    "frown_line": (0.0, 0.00, 0.00, 0.30, 1.00, 0.50, 0.30),
    "forehead_line": (0.0, 0.00, 0.80, 0.25, 0.00, 0.00, 0.75),
}

# Natural variation of the same numbers between people at rest (half the range, at difficulty 1):
# people with low brows, thin mouths or sad eyes overlap with weak expressions.
_RESTING: Final[dict[str, float]] = {
    "brow_raise": 0.38,
    "brow_inner": 0.34,
    "brow_outer": 0.34,
    "brow_knit": 0.35,
    "brow_arch": 0.40,
    "eye_open": 0.26,
    "eye_squint": 0.20,
    "eye_droop": 0.40,
    "mouth_wide": 0.24,
    "mouth_corner": 0.30,
    "mouth_open": 0.05,
    "mouth_square": 0.30,
    "lip_raise": 0.16,
    "lip_press": 0.20,
    "teeth": 0.20,
    "nose_wrinkle": 0.14,
    "cheek_line": 0.22,
    "frown_line": 0.16,
    "forehead_line": 0.22,
}


class Draws:
    """Named random numbers of a batch of faces.

    The stream number is the CRC-32 of the name, so a new quantity leaves all others as they were.
    """

    def __init__(self, seed: int, ids: Ints) -> None:
        self._seed = seed
        self.ids = ids

    def uniform(self, name: str) -> npt.NDArray[np.float64]:
        """Return (n,) numbers in [0, 1)."""
        return uniform(self._seed, self.ids, zlib.crc32(name.encode()))

    def between(self, name: str, low: float, high: float) -> Array:
        """Return (n, 1, 1) numbers, uniform in [low, high)."""
        return column(low + (high - low) * self.uniform(name))

    def centred(self, name: str, spread: float) -> Array:
        """Return (n, 1, 1) numbers in (-spread, spread), densest at 0 (triangular)."""
        first = self.uniform(name)
        second = first * 2.0**26 % 1.0  # the low digits are as random as the high ones
        return column(spread * (first + second - 1.0))

    def chance(self, name: str, probability: float) -> Array:
        """Return (n, 1, 1) ones (with the given probability) and zeros."""
        return column(self.uniform(name) < probability)

    def label(self) -> Ints:
        """Return (n,) expression indices, uniform over EXPRESSIONS."""
        return (self.uniform("label") * len(EXPRESSIONS)).astype(np.int64)


def column(values: npt.ArrayLike) -> Array:
    """Return (n,) values as float32 of shape (n, 1, 1)."""
    return np.asarray(values).astype(np.float32)[:, None, None]


Group = TypeVar("Group", "Head", "Covers")


def take(group: Group, rows: npt.NDArray[np.intp]) -> Group:
    """Return the numbers of some of the faces."""
    chosen = {field.name: getattr(group, field.name)[rows] for field in fields(group)}
    return replace(group, **chosen)


@dataclass(frozen=True)
class Pose:
    """Where the head is: `cosine`/`sine` of the rotation, `scale` in half images a face unit."""

    cosine: Array
    sine: Array
    scale: Array
    shift_x: Array
    shift_y: Array
    yaw: Array
    pitch: Array


@dataclass(frozen=True)
class Head:
    """Who it is: the shape of head, nose and lips, tones in [0, 1], hair and beard."""

    width: Array
    taper: Array
    skin: Array
    hair: Array
    has_hair: Array
    hairline: Array
    hair_volume: Array
    hair_length: Array
    fringe: Array
    parting: Array
    eye_x: Array
    eye_y: Array
    eye_width: Array
    eye_height: Array
    iris: Array
    brow_y: Array
    brow_thick: Array
    nose_width: Array
    nose_y: Array
    mouth_y: Array
    mouth_width: Array
    lip: Array
    lip_tone: Array
    beard: Array
    moustache: Array
    age: Array


@dataclass(frozen=True)
class Light:
    """Light, camera and background."""

    x: Array
    y: Array
    strength: Array
    contrast: Array
    bias: Array
    blur: Array
    noise: Array
    background: Array
    background_x: Array
    background_y: Array
    shirt: Array


@dataclass(frozen=True)
class Covers:
    """What hides part of the face; each `is_` is 0 or 1."""

    is_glasses: Array
    is_sunglasses: Array
    is_scarf: Array
    is_hand: Array
    is_block: Array
    is_lock: Array
    side: Array
    x: Array
    y: Array
    tone: Array
    tilt: Array
    frame: Array


def draw_pose(draws: Draws, difficulty: float) -> Pose:
    """Small rotation in the plane, small turn of the head, scale and shift."""
    half = draws.centred("pose/rotation", 0.16 * difficulty)  # tangent of half the angle
    norm = 1.0 + half * half
    return Pose(
        cosine=(1.0 - half * half) / norm,
        sine=2.0 * half / norm,
        scale=0.80 + draws.centred("pose/scale", 0.10 * difficulty),
        shift_x=draws.centred("pose/x", 0.14 * difficulty),
        shift_y=0.03 + draws.centred("pose/y", 0.12 * difficulty),
        yaw=draws.centred("pose/yaw", 0.24 * difficulty),
        pitch=draws.centred("pose/pitch", 0.12 * difficulty),
    )


def draw_head(draws: Draws) -> Head:
    """A person: shape, tones, hair, beard."""
    skin = draws.between("head/skin", 0.42, 0.88)
    grown = draws.uniform("head/sex") < 0.5
    length = np.where(grown, 0.0, draws.uniform("head/hair-length") * 1.6)
    bearded = grown & (draws.uniform("head/beard") < 0.3)
    moustached = grown & (draws.uniform("head/moustache") < 0.3)
    return Head(
        width=draws.between("head/width", 0.70, 0.84),
        taper=draws.between("head/taper", 0.04, 0.24),
        skin=skin,
        hair=draws.between("head/hair", 0.04, 0.55) * (0.25 + 0.75 * skin),
        has_hair=1.0 - draws.chance("head/bald", 0.10) * column(grown),
        hairline=draws.between("head/hairline", -0.82, -0.58),
        hair_volume=draws.between("head/volume", 0.03, 0.20),
        hair_length=column(length),
        fringe=draws.centred("head/fringe", 0.30),
        parting=draws.centred("head/parting", 0.7),
        eye_x=draws.between("head/eye-x", 0.31, 0.38),
        eye_y=draws.between("head/eye-y", -0.20, -0.10),
        eye_width=draws.between("head/eye-width", 0.155, 0.20),
        eye_height=draws.between("head/eye-height", 0.070, 0.095),
        iris=draws.between("head/iris", 0.05, 0.35),
        brow_y=draws.between("head/brow-y", -0.27, -0.21),
        brow_thick=draws.between("head/brow-thick", 0.028, 0.058),
        nose_width=draws.between("head/nose-width", 0.11, 0.18),
        nose_y=draws.between("head/nose-y", 0.22, 0.30),
        mouth_y=draws.between("head/mouth-y", 0.53, 0.60),
        mouth_width=draws.between("head/mouth-width", 0.26, 0.35),
        lip=draws.between("head/lip", 0.045, 0.095),
        lip_tone=draws.between("head/lip-tone", 0.55, 0.85),
        beard=column(bearded) * draws.between("head/beard-density", 0.35, 0.9),
        moustache=column(moustached) * draws.between("head/moustache-density", 0.5, 0.95),
        age=draws.between("head/age", 0.0, 1.0),
    )


def draw_strength(draws: Draws, difficulty: float) -> Array:
    """How strongly each face shows its expression, up to 1.08; 1 is in full."""
    weakest = max(0.12, 1.0 - 0.56 * difficulty)
    return draws.between("action/strength", weakest, 1.08)


def draw_actions(draws: Draws, labels: Ints, difficulty: float) -> dict[str, Array]:
    """What the face does: the expression's actions at a drawn strength, upon the resting face.

    At difficulty 0 every expression is shown in full on a face with no resting tendency; at 1 the
    strength is drawn from weak to strong and each action follows it loosely.
    """
    strength = draw_strength(draws, difficulty)
    actions: dict[str, Array] = {}
    for name, full in _ACTIONS.items():
        loose = 1.0 + draws.centred(f"action/{name}", 0.40 * difficulty)
        rest = draws.centred(f"rest/{name}", 0.85 * _RESTING[name] * difficulty)
        actions[name] = column(np.asarray(full)[labels]) * strength * loose + rest
    actions["mouth_skew"] = draws.centred("action/skew", 0.06 * difficulty)
    actions["brow_skew"] = draws.centred("action/brow-skew", 0.05 * difficulty)
    actions["eye_skew"] = draws.centred("action/eye-skew", 0.08 * difficulty)
    actions["gaze_x"] = draws.centred("action/gaze-x", 0.05)
    actions["gaze_y"] = draws.centred("action/gaze-y", 0.02)
    return actions


def draw_light(draws: Draws, difficulty: float) -> Light:
    """Light from a random side, contrast, tone curve, blur, sensor noise, background."""
    return Light(
        x=draws.centred("light/x", 1.0),
        y=draws.between("light/y", -0.9, 0.1),
        strength=draws.between("light/strength", 0.10, 0.25 + 0.35 * difficulty),
        contrast=1.1 - draws.between("light/contrast", 0.0, 0.40 * difficulty),
        bias=np.maximum(1.0 + draws.centred("light/bias", 0.6 * difficulty), 0.3),
        blur=np.minimum(draws.between("light/blur", 0.0, 0.85 * difficulty), 1.0),
        noise=draws.between("light/noise", 0.0, 1.0)
        * draws.between("light/grain", 0.0, 0.045 * difficulty),
        background=draws.between("light/background", 0.10, 0.90),
        background_x=draws.centred("light/background-x", 0.25),
        background_y=draws.centred("light/background-y", 0.25),
        shirt=draws.between("light/shirt", 0.08, 0.92),
    )


def draw_covers(draws: Draws, difficulty: float) -> Covers:
    """Glasses, or at most one thing that hides a part of the face."""
    kind = draws.uniform("cover/kind") / max(difficulty, 1e-9)

    def between(low: float, high: float) -> Array:
        return column((kind >= low) & (kind < high))

    return Covers(
        is_sunglasses=between(0.00, 0.04),
        is_scarf=between(0.04, 0.08),
        is_hand=between(0.08, 0.14),
        is_block=between(0.14, 0.20),
        is_lock=between(0.20, 0.28),
        is_glasses=draws.chance("cover/glasses", 0.18) * (1.0 - between(0.00, 0.04)),
        side=1.0 - 2.0 * draws.chance("cover/side", 0.5),
        x=draws.between("cover/x", 0.15, 0.7),
        y=draws.between("cover/y", -0.5, 0.8),
        tone=draws.between("cover/tone", 0.05, 0.95),
        tilt=draws.centred("cover/tilt", 0.6),
        frame=draws.between("cover/frame", 0.05, 0.35),
    )

"""`render` paints the parts of a drawn face, from the background to what covers the face."""

from __future__ import annotations

import numpy as np

from eactf.faces.geometry import Array, Covers, Head, Light, Pose, take
from eactf.faces.raster import Canvas, between, blur, box, ellipse, stroke

Actions = dict[str, Array]


def render(
    size: int, pose: Pose, head: Head, act: Actions, light: Light, covers: Covers, noise: Array
) -> Array:
    """Return (n, size, size) float32 tones, nominally in [0, 1]."""
    px = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0)[None, None, :]
    py = px.reshape(1, size, 1)
    dx, dy = px - pose.shift_x, py - pose.shift_y
    x = (dx * pose.cosine + dy * pose.sine) / pose.scale
    y = (dy * pose.cosine - dx * pose.sine) / pose.scale
    background = light.background + light.background_x * px + light.background_y * py
    canvas = Canvas(np.broadcast_to(background, x.shape).copy(), pose.scale * (size / 2))
    jaw = 0.13 * np.maximum(act["mouth_open"], 0.0)
    _head(canvas, x, y, head, light, jaw)
    # Turning the head moves the middle of the face and leaves its outline.
    u = x - pose.yaw * np.maximum(1.0 - x * x, 0.0)
    v = y - pose.pitch * np.maximum(1.0 - y * y, 0.0)
    side = np.abs(u)
    sign = np.clip(u * 8.0, -1.0, 1.0)
    _lines(canvas, u, v, side, head, act)
    _nose(canvas, u, v, side, head, act, light)
    _beard(canvas, x, y, u, v, side, head, jaw)
    _eyes(canvas, u, v, side, sign, head, act)
    _brows(canvas, v, side, sign, head, act)
    _mouth(canvas, u, v, head, act)
    _hair(canvas, x, y, head)
    _covers(canvas.tones, u, v, head, covers, canvas.pixels)
    tones = _light(canvas.tones, x, y, head, light)
    return _camera(tones, light, noise)


def _outline(x: Array, y: Array, width: Array, taper: Array, jaw: Array) -> Array:
    """Distance to the head: an ellipse that narrows towards the chin."""
    lower = np.maximum(y, 0.0)
    reach = np.where(y > 0.0, 1.0 + jaw, 1.0)
    across = x / (width * (1.0 - taper * lower * lower))
    return (np.sqrt(across * across + (y / reach) ** 2) - 1.0) * 0.75


def _head(canvas: Canvas, x: Array, y: Array, head: Head, light: Light, jaw: Array) -> None:
    length = head.hair_length
    behind = box(x, y - 0.5 * length + 0.12, head.width + 0.12, 0.88 + 0.5 * length, 0.75)
    canvas.paint(behind, head.hair * 0.8, head.has_hair * (length > 0.25), 0.02)
    canvas.paint(box(x, y - 1.2, head.width * 0.56, 0.6, 0.1), head.skin * 0.70)
    canvas.paint(ellipse(x, y - 1.85, 1.35, 0.68), light.shirt)
    ears = ellipse(np.abs(x) - head.width, y - 0.02, 0.09, 0.19)
    canvas.paint(ears, head.skin * 0.85)
    face = _outline(x, y, head.width, head.taper, jaw)
    canvas.paint(face, head.skin * 0.78)
    canvas.paint(face + 0.13, head.skin, 1.0, 0.24)  # the rim turns away from the viewer


def _lines(canvas: Canvas, u: Array, v: Array, side: Array, head: Head, act: Actions) -> None:
    """Folds that come with the expression: cheeks, between the brows, forehead, nose."""
    depth = 0.30 + 0.25 * head.age
    cheek = np.clip(act["cheek_line"] + 0.25 * head.age, 0.0, 1.0)
    fold_y = v - (head.nose_y + 0.17)
    fold_x = side - (0.30 + 0.05 * act["mouth_wide"])
    canvas.shade(stroke(fold_y, fold_x, 0.18, 0.07, -0.05, 0.012), 1.0 - depth, cheek, 0.05)
    apple = ellipse(side - 0.40, v - 0.14, 0.15, 0.11)
    canvas.shade(apple, 1.16, np.clip(act["mouth_corner"], 0.0, 1.0), 0.18)
    frown = np.clip(act["frown_line"], 0.0, 1.0)
    furrow = stroke(v - head.eye_y + 0.20, side - 0.07, 0.10, -0.015, 0.0, 0.010)
    canvas.shade(furrow, 0.5, frown, 0.04)
    raised = np.clip(act["forehead_line"] + 0.1 * head.age, 0.0, 1.0)
    top = v - head.eye_y + 0.56
    for row in (0.0, 0.11):
        canvas.shade(stroke(u, top - row, 0.34, 0.0, 0.03, 0.008), 1.0 - depth, raised, 0.04)
    wrinkle = np.clip(act["nose_wrinkle"], 0.0, 1.0)
    for row in (0.02, 0.10):
        crease = stroke(side - 0.08, v - head.eye_y - row, 0.07, 0.05, 0.0, 0.010)
        canvas.shade(crease, 0.55, wrinkle, 0.05)


def _nose(
    canvas: Canvas, u: Array, v: Array, side: Array, head: Head, act: Actions, light: Light
) -> None:
    lift = 0.04 * np.clip(act["nose_wrinkle"], 0.0, 1.0)
    wide = head.nose_width * (1.0 + 0.15 * np.clip(act["nose_wrinkle"], 0.0, 1.0))
    tip = v - head.nose_y + lift
    # The bridge's shadow falls on the side away from the light.
    shadow = np.where(light.x > 0.0, -u, u)
    bridge = stroke(tip + 0.18, shadow - 0.5 * wide, 0.20, 0.035, 0.0, 0.01)
    canvas.shade(bridge, 0.78, 0.9, 0.07)
    canvas.shade(ellipse(u, tip + 0.02, 0.06, 0.07), 1.18, 1.0, 0.10)
    canvas.shade(stroke(u, tip - 0.055, wide, 0.0, -0.03, 0.012), 0.72, 1.0, 0.06)
    canvas.shade(ellipse(side - 0.55 * wide, tip - 0.04, 0.035, 0.022), 0.30, 1.0, 0.02)
    wing = stroke(tip + 0.01, side - wide, 0.06, 0.0, -0.03, 0.008)
    canvas.shade(wing, 0.70, 1.0, 0.04)


def _beard(
    canvas: Canvas, x: Array, y: Array, u: Array, v: Array, side: Array, head: Head, jaw: Array
) -> None:
    face = _outline(x, y, head.width, head.taper, jaw)
    low = 0.40 + 0.35 * np.maximum(0.0, 0.45 - side) - v
    canvas.paint(np.maximum(face + 0.05, low), head.hair, head.beard, 0.09)
    lip = stroke(side - 0.12, v - head.mouth_y + 0.13, 0.16, 0.04, 0.0, 0.05, 0.4)
    canvas.paint(lip, head.hair, np.maximum(head.moustache, head.beard * 0.8), 0.03)


def _eyes(
    canvas: Canvas, u: Array, v: Array, side: Array, sign: Array, head: Head, act: Actions
) -> None:
    half = head.eye_width
    wide = np.clip(1.0 + act["eye_open"] + sign * act["eye_skew"], 0.22, 2.0)
    upper = head.eye_height * wide
    lower = head.eye_height * np.clip(
        0.75 + 0.3 * act["eye_open"] - 0.55 * act["eye_squint"], 0.08, 1.4
    )
    t = (side - head.eye_x) / half
    arc = np.maximum(1.0 - t * t, 0.0)
    y = v - head.eye_y - 0.035 * act["eye_droop"] * t
    top, bottom = -upper * arc, lower * arc
    outside = (np.abs(t) - 1.0) * half
    canvas.shade(ellipse(side - head.eye_x, y + 0.03, half * 1.2, 0.17), 0.86, 1.0, 0.16)
    bag = np.clip(act["eye_squint"] + 0.3 * head.age, 0.0, 1.0)
    pouch = stroke(side - head.eye_x, y - lower - 0.075, half * 0.9, 0.0, -0.05, 0.010)
    canvas.shade(pouch, 0.72, bag, 0.05)
    hole = np.maximum(between(y, top, bottom), outside)
    canvas.paint(hole, 0.25 + 0.65 * np.clip(head.skin + 0.25, 0.0, 1.0))
    iris_x = side - head.eye_x - np.where(u < 0.0, -act["gaze_x"], act["gaze_x"])
    iris_y = y - act["gaze_y"] + 0.012
    disc = ellipse(iris_x, iris_y, 0.085, 0.085)
    canvas.paint(np.maximum(disc, hole), head.iris)
    canvas.paint(np.maximum(disc + 0.048, hole), 0.02)
    canvas.paint(np.maximum(ellipse(iris_x + 0.02, iris_y + 0.03, 0.02, 0.02), hole), 0.95)
    inside = np.maximum(np.abs(side - head.eye_x) - half * 1.04, 0.0)
    lash = np.maximum(np.abs(y - top) - 0.022, inside)
    canvas.paint(lash, 0.06 + 0.1 * head.hair, 0.9, 0.01)
    rim = np.maximum(np.abs(y - bottom) - 0.008, inside)
    canvas.shade(rim, 0.6, 0.8, 0.02)
    crease = stroke(side - head.eye_x, y + upper + 0.055, half, 0.0, 0.06, 0.006)
    canvas.shade(crease, 0.72, 0.8, 0.03)


def _brows(canvas: Canvas, v: Array, side: Array, sign: Array, head: Head, act: Actions) -> None:
    half = 0.205 + 0.3 * (head.eye_width - 0.17)
    middle = head.eye_x + 0.025 - 0.025 * act["brow_knit"]
    lift = 0.135 * act["brow_raise"] + 0.030 * (act["brow_inner"] + act["brow_outer"])
    y = v - head.eye_y - head.brow_y + lift + sign * act["brow_skew"]
    slope = 0.095 * (act["brow_inner"] - act["brow_outer"])
    bend = 0.045 + 0.05 * act["brow_arch"]
    line = stroke(side - middle, y + bend * 0.5, half, slope, bend, head.brow_thick, 0.35)
    canvas.paint(line, head.hair * 0.8, 0.92, 0.015)


def _mouth(canvas: Canvas, u: Array, v: Array, head: Head, act: Actions) -> None:
    half = head.mouth_width * np.clip(1.0 + 0.55 * act["mouth_wide"], 0.45, 1.7)
    t = np.clip(u / half, -1.0, 1.0)
    arc = 1.0 - t * t
    square = np.clip(act["mouth_square"], 0.0, 1.0)
    round_ = arc + square * (np.sqrt(arc) - arc) * 0.8
    corner = 0.115 * act["mouth_corner"]
    gap = np.clip(act["mouth_open"], 0.0, 1.3)
    raised = np.clip(act["lip_raise"], 0.0, 1.0)
    line = head.mouth_y + corner * (0.35 - t * t) + act["mouth_skew"] * t
    top = line - (0.09 * gap + 0.055 * raised) * round_
    # An open jaw rounds the lower lip: more so, the wider it is open.
    chin_arc = round_ + np.minimum(gap, 1.0) * 0.7 * (np.sqrt(arc) - round_)
    bottom = line + (0.26 * gap + 0.02 * raised) * chin_arc
    press = np.clip(1.0 - 0.55 * act["lip_press"], 0.35, 1.2)
    bow = 1.0 - 0.35 * np.maximum(1.0 - np.abs(u) * 12.0, 0.0)
    full = arc * (2.0 - arc)
    lip_top = top - head.lip * 0.85 * press * full * bow
    lip_bottom = bottom + head.lip * 1.15 * press * full * (1.0 - 0.25 * gap)
    past = np.abs(u) - half
    tone = head.skin * head.lip_tone
    canvas.shade(ellipse(u, v - line - 0.36 * gap - 0.17, half * 0.5, 0.05), 0.80, 1.0, 0.10)
    canvas.paint(np.maximum(between(v, lip_top, lip_bottom), past), tone, 0.9, 0.012)
    hole = np.maximum(between(v, top, bottom), past)
    canvas.paint(hole, 0.06)
    tongue = np.maximum(hole + 0.02, ellipse(u, v - bottom, half * 0.6, 0.10))
    canvas.paint(tongue, tone * 0.7, np.minimum(gap, 1.0))
    teeth = np.maximum(hole + 0.006, v - top - 0.115)
    canvas.paint(teeth, 0.90, np.clip(act["teeth"], 0.0, 1.0))
    slit = np.abs(v - 0.5 * (top + bottom)) - 0.004 - 0.014 * arc
    closed = np.clip(1.0 - 5.0 * gap, 0.0, 0.85)
    canvas.paint(np.maximum(slit, past - 0.02), 0.3 * head.skin, closed, 0.015)
    end = ellipse(np.abs(u) - half - 0.01, v - line, 0.03, 0.03)
    canvas.shade(end, 0.6, 0.8, 0.04)


def _hair(canvas: Canvas, x: Array, y: Array, head: Head) -> None:
    """The hair in front: inside the grown skull, above a hairline that drops to the temples."""
    grown = head.hair_volume * np.clip(0.35 - 1.6 * y, 0.0, 1.0)
    across = x / (head.width + 0.02 + grown)
    skull = (np.sqrt(across * across + (y / (1.0 + grown)) ** 2) - 1.0) * 0.75
    reach = np.minimum(np.abs(x) / head.width, 1.0)
    square = reach * reach
    side = head.hairline + (0.02 - head.hairline) * square * square * square
    part = np.abs(x - head.parting)
    edge = side + head.fringe * (0.5 - part) * (1.0 - square)
    canvas.paint(np.maximum(skull, y - edge), head.hair, head.has_hair, 0.02)
    shine = stroke(x - 0.3 * head.parting, y + 0.86, 0.30, 0.0, 0.06, 0.02)
    canvas.shade(np.maximum(shine, skull), 1.35, head.has_hair, 0.20)


def _covers(tones: Array, u: Array, v: Array, head: Head, covers: Covers, pixels: Array) -> None:
    """Paint what hides a part of the face, on the faces that have it only."""
    for worn, paint in (
        (covers.is_glasses, _glasses),
        (covers.is_sunglasses, _sunglasses),
        (covers.is_scarf, _scarf),
        (covers.is_hand, _hand),
        (covers.is_block, _block),
        (covers.is_lock, _lock),
    ):
        rows = np.flatnonzero(worn)
        if len(rows):
            canvas = Canvas(tones[rows], pixels[rows])
            paint(canvas, u[rows], v[rows], take(head, rows), take(covers, rows))
            tones[rows] = canvas.tones


def _lens(u: Array, v: Array, head: Head) -> tuple[Array, Array]:
    """Distances to the two lenses and to the bar and temples that hold them."""
    lens = box(np.abs(u) - head.eye_x, v - head.eye_y - 0.02, 0.24, 0.17, 0.11)
    bar = np.maximum(np.abs(v - head.eye_y + 0.03) - 0.02, -lens)
    return lens, np.maximum(bar, np.abs(u) - head.width - 0.02)


def _glasses(canvas: Canvas, u: Array, v: Array, head: Head, covers: Covers) -> None:
    lens, bar = _lens(u, v, head)
    canvas.paint(np.minimum(np.abs(lens) - 0.016, bar), covers.frame)


def _sunglasses(canvas: Canvas, u: Array, v: Array, head: Head, covers: Covers) -> None:
    lens, bar = _lens(u, v, head)
    canvas.paint(np.minimum(lens - 0.02, bar), 0.5 * covers.frame)
    gleam = np.abs(u * covers.side - head.eye_x + v - head.eye_y) - 0.04
    canvas.shade(np.maximum(gleam, lens + 0.04), 2.0, 0.8, 0.03)


def _scarf(canvas: Canvas, u: Array, v: Array, head: Head, covers: Covers) -> None:
    edge = head.nose_y + 0.05 + 0.08 * u * covers.side + 0.10 * u * u - v
    canvas.paint(edge, covers.tone)
    fold = np.abs((v * 4.0 - u * u + u * covers.tilt * 2.0) % 1.0 - 0.5) - 0.15
    canvas.shade(np.maximum(fold * 0.2, edge), 0.75, 1.0, 0.06)


def _turned(u: Array, v: Array, covers: Covers) -> tuple[Array, Array]:
    """Coordinates about the cover's place, leaning by its tilt, on its side of the face."""
    x, y = u * covers.side - covers.x, v - covers.y
    return x + covers.tilt * y, y - covers.tilt * x


def _block(canvas: Canvas, u: Array, v: Array, head: Head, covers: Covers) -> None:
    x, y = _turned(u, v, covers)
    canvas.paint(box(x, y, 0.44, 0.34, 0.03), covers.tone)


def _hand(canvas: Canvas, u: Array, v: Array, head: Head, covers: Covers) -> None:
    x, y = _turned(u, v, covers)
    canvas.paint(box(x, y - 0.62, 0.30, 0.45, 0.18), head.skin * 0.9, 1.0, 0.03)
    for finger in (-0.225, -0.075, 0.075, 0.225):
        reach = 0.40 - 2.0 * finger * finger
        tip = box(x - finger, y - 0.05, 0.085, reach, 0.08)
        canvas.paint(tip, head.skin * 0.55)
        canvas.paint(tip + 0.025, head.skin * 0.95, 1.0, 0.04)


def _lock(canvas: Canvas, u: Array, v: Array, head: Head, covers: Covers) -> None:
    middle = 0.36 + 0.45 * (v + 0.55) * (v + 0.55) - u * covers.side
    wide = 0.22 * np.clip(0.55 - 0.8 * v, 0.0, 1.0)
    inside = ellipse(u, v, head.width + 0.05, 1.0)
    lock = np.maximum(np.maximum(np.abs(middle) - wide, v - 0.3), inside)
    canvas.paint(lock, head.hair, head.has_hair, 0.03)


def _light(tones: Array, x: Array, y: Array, head: Head, light: Light) -> Array:
    """Shade as if the head were an ellipsoid lit from one side."""
    normal_x = np.clip(x / (head.width * 1.15), -1.0, 1.0)
    normal_y = np.clip(y / 1.2, -1.0, 1.0)
    # Towards the viewer; falls off smoothly so that the head's outline throws no halo.
    normal_z = 1.2 / (1.0 + 0.8 * (normal_x * normal_x + normal_y * normal_y))
    lit = normal_x * light.x + normal_y * light.y + normal_z * 0.8 - 0.7
    lit_tones: Array = tones * (1.0 + light.strength * lit)
    return lit_tones


def _camera(tones: Array, light: Light, noise: Array) -> Array:
    tones = np.clip(blur(tones, light.blur), 0.0, 1.0)
    # A rational curve through (0, 0) and (1, 1) stands for gamma: pow is not rounded exactly.
    tones = tones / (tones + light.bias * (1.0 - tones))
    tones = 0.5 + (tones - 0.5) * light.contrast
    grainy: Array = tones + light.noise * noise
    return grainy

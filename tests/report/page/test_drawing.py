"""Figures: files that open, whatever the names in them."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from eactf.report.page.drawing import INK, class_colours, sheet, themed

HOSTILE = [
    "a $b$ c$",
    "</text><script>alert(1)</script>",
    "x\x00y\x1b[1m",
    "-->",
    "\u60b2\u3057\u3044",
    "_",
]


def draw(names):
    with sheet() as drawn:
        for number, name in enumerate(names):
            drawn.axes.plot([0, 1], [number, 1], label=name)
        drawn.axes.set(title=names[0], xlabel=names[-1])
        drawn.axes.legend()
        return drawn.finish(
            "name", "title", caption="", alt="", columns=["a"], rows=[[name] for name in names]
        )


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_can_be_drawn(name):
    figure = draw([name, "plain"])
    root = ET.fromstring(figure.svg)
    assert root.tag.endswith("svg")
    assert "alert" not in figure.svg


def test_a_png_is_white_behind_and_an_svg_clear():
    figure = draw(["plain"])
    assert Image.open(io.BytesIO(figure.png)).convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert "#ffffff" not in figure.svg


def test_the_same_figure_is_the_same_file():
    assert draw(["plain"]) == draw(["plain"])


def test_on_a_dark_screen_the_ink_is_light():
    svg = draw(["plain"]).svg
    assert INK in svg
    dark = themed(svg)
    assert dark.count(INK) == 1  # in the style alone
    assert "prefers-color-scheme:dark" in dark
    ET.fromstring(dark)


@pytest.mark.parametrize("count", [1, 8, 9, 100])
def test_every_class_has_a_colour_of_its_own(count):
    colours = class_colours(count)
    assert len({str(colour) for colour in colours}) == count

"""These functions write the pictures that a person checks, and a page that shows them in a grid."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from eactf.files import write_bytes, write_text

__all__ = ["PAGE", "picture_name", "write_page", "write_picture"]

PAGE = "index.html"

_SHOWN = 224
"""Pixels to which small images are enlarged, by whole numbers: no detail is made up."""

_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { margin: 1rem; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 1rem;
     list-style: none; padding: 0; }
img { width: 100%; image-rendering: auto; }
figure { margin: 0; }
"""

_POLICY = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'"


def picture_name(number: int) -> str:
    """The name of a picture, in the folder of checks.

    >>> picture_name(7)
    'images/0007.png'
    """
    return f"images/{number:04d}.png"


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write an image `(height, width, channels)` uint8 as PNG, small ones enlarged."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    times = max(1, _SHOWN // max(picture.size))
    if times > 1:
        size = (picture.width * times, picture.height * times)
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    content = io.BytesIO()
    picture.save(content, format="PNG")
    write_bytes(path, content.getvalue())


def write_page(folder: Path, given: Sequence[str]) -> None:
    """Write a page that shows all pictures with their number and the label to be checked."""
    cells = "\n".join(
        f'<li><figure><img src="{picture_name(number)}" alt="image {number}" loading="lazy">'
        f"<figcaption><b>{number}</b> {html.escape(name)}</figcaption></figure></li>"
        for number, name in enumerate(given, start=1)
    )
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>Labels to check</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Is the label right?</h1>
<p>Write <b>right</b>, <b>wrong</b>, the name of the right class, or <b>unsure</b> into the column
<b>answer</b> of checks.csv, at the number of the image; then give the command again.</p>
<ol>
{cells}
</ol>
</body>
</html>
"""
    write_text(folder / PAGE, page)

"""`CroppedImages` cuts each image to its box before anything else looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from eactf.intake.bad_images import bad_image
from eactf.intake.image_files import strictly
from eactf.intake.listing import Images
from eactf.packed.identity import content_digest

__all__ = ["CroppedImages"]


@dataclass(frozen=True)
class CroppedImages:
    """`images`, each cut to its box (left, top, width, height), whole where the box is None.

    A box may reach out of its image; what is outside is left off. A box that misses it leaves the
    image whole.
    """

    images: Images
    boxes: Sequence[tuple[int, int, int, int] | None]

    def __len__(self) -> int:
        return len(self.images)

    def bytes_on_disk(self, row: int) -> int:
        return self.images.bytes_on_disk(row)

    def digest(self, row: int) -> int:
        box = self.boxes[row]
        whole = self.images.digest(row)
        return whole if box is None else content_digest(f"{whole:016x} {box}".encode())

    def open(self, row: int) -> Image.Image:
        image = self.images.open(row)
        box = _inside(self.boxes[row], image.size)
        if box is None:
            return image
        try:
            with image, strictly():
                return image.crop(box)
        except Exception as error:  # Pillow's readers raise many kinds on a broken file
            raise bad_image(error) from None


def _inside(
    box: tuple[int, int, int, int] | None, size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    if box is None:
        return None
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[0] + box[2], size[0]), min(box[1] + box[3], size[1])
    return (left, top, right, bottom) if left < right and top < bottom else None

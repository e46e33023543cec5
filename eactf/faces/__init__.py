"""This package draws faces with seven expressions, to try eactf without any download."""

from eactf.faces.affect import drawn_affect
from eactf.faces.draw import EXPRESSIONS, draw_faces, drawn_face_dataset

__all__ = ["EXPRESSIONS", "draw_faces", "drawn_affect", "drawn_face_dataset"]

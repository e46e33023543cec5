"""The drawn faces: seven expressions rendered in code, to try things out without any download."""

from eactf.faces.draw import EXPRESSIONS, draw_faces, drawn_face_dataset

__all__ = ["EXPRESSIONS", "draw_faces", "drawn_face_dataset"]

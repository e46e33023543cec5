"""No library's advice to lower a guard reaches a user, whichever file provokes it."""

from __future__ import annotations

import ast
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from eactf.errors import EactfError
from eactf.foreign import reason_of
from eactf.intake.decode import read_image
from eactf.intake.readers.label_dictionary import read_label_dictionary
from eactf.intake.sources import open_source
from eactf.intake.sources.npz import read_npy
from eactf.recipe import load_recipe

PACKAGE = Path(__file__).resolve().parents[2] / "eactf"
ADVICE = (
    "allow_pickle",
    "max_header_size",
    "trust",
    "safe_mode",
    "weights_only",
    "MAX_",
    "set_int",
)

KERAS = (
    "Requested the deserialization of a Lambda layer whose `function` is a Python lambda. This"
    " carries a potential risk of arbitrary code execution and thus it is disallowed by default. If"
    " you trust the source of the artifact, you can override this error by passing"
    " `safe_mode=False` to the loading function, or calling"
    " `keras.config.enable_unsafe_deserialization()`."
)
TORCH = (
    "Weights only load failed. In PyTorch 2.6, we changed the default value of the `weights_only`"
    " argument in `torch.load` from `False` to `True`. Re-running `torch.load` with `weights_only`"
    " set to `False` will likely succeed, but it can result in arbitrary code execution."
)
PYTHON = (
    "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits;"
    " use sys.set_int_max_str_digits() to increase the limit"
)
PILLOW = "Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK"


def told(call, *arguments):
    """Everything a user reads of the failure of a call."""
    with pytest.raises(EactfError) as caught:
        call(*arguments)
    return str(caught.value)


def long_header(dtype="|u1"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': (1,), }}".ljust(60_000)
    said = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said + b"\0"


@pytest.mark.parametrize("message", [KERAS, TORCH, PYTHON, PILLOW])
def test_sentences_that_tell_how_to_lower_a_guard_are_left_out(message):
    said = reason_of(ValueError(message))
    assert said
    assert not any(word in said for word in ADVICE)


def test_other_messages_come_through_on_one_line():
    assert reason_of(OSError("file is\n  cut short; 3 bytes left")) == (
        "file is cut short; 3 bytes left"
    )
    assert reason_of(ValueError("")) == "ValueError"
    assert len(reason_of(ValueError("x" * 10_000))) == 300


def test_numpy_itself_still_gives_the_advice_that_is_left_out():
    with pytest.raises(ValueError, match="allow_pickle"):
        np.load(io.BytesIO(long_header()))


def test_a_long_header_of_an_array_is_refused_in_our_own_words(tmp_path):
    (tmp_path / "a.npy").write_bytes(long_header())
    members = {"x.npy": long_header(), "y.npy": long_header()}
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    for call, path in (
        (read_npy, tmp_path / "a.npy"),
        (read_label_dictionary, tmp_path / "a.npy"),
        (open_source, tmp_path / "a.npz"),
    ):
        text = told(call, path)
        assert "has a header of 60,001 bytes" in text
        assert not any(word in text for word in ADVICE)


def test_a_number_too_long_for_python_is_refused_in_our_own_words(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("seed: " + "9" * 5_000 + "\n")
    assert not any(word in told(load_recipe, str(path)) for word in ADVICE)
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({'9' * 5_000},), }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    (tmp_path / "a.npy").write_bytes(content)
    assert not any(word in told(read_npy, tmp_path / "a.npy") for word in ADVICE)


def test_a_picture_of_too_much_text_is_refused_in_our_own_words(tmp_path):
    info = PngImagePlugin.PngInfo()
    bomb = zlib.compress(b"a" * (PngImagePlugin.MAX_TEXT_CHUNK + 10))
    info.add(b"zTXt", b"Comment\0\0" + bomb)
    Image.new("L", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    text = told(lambda: read_image(tmp_path / "a.png", size=4, channels=1))
    assert "more text is stored in it than is safe to read" in text
    assert not any(word in text for word in ADVICE)


OURS = {
    *("EactfError", "DataError", "UsageError", "UnsafeFileError", "TrainingError", "Interrupted"),
    *("RecipeError", "BadImage", "MeasuringError", "CleanOrFlagError"),
}


def foreign(handler):
    """Whether a handler catches what others raise, and not our own errors alone."""
    nodes = list(ast.walk(handler.type))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return not names <= OURS


OWN_WORDS = {
    "eactf/wizard/answering.py": "what a question expects, raised by its own parser",
    "eactf/nn/weight_import/torch_pickles.py": "raised a few lines above, in our words",
    "eactf/foreign.py": "where messages are made fit",
}


def passed_on(path):
    """The lines on which a failure that others raised is put into a text as it is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for handler in ast.walk(tree):
        if not (isinstance(handler, ast.ExceptHandler) and handler.name and foreign(handler)):
            continue
        for node in ast.walk(handler):
            values = []
            if isinstance(node, ast.FormattedValue):
                values = [node.value]
                if isinstance(node.value, ast.BoolOp):
                    values = node.value.values
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("str", "repr"):
                values = node.args
            if any(isinstance(v, ast.Name) and v.id == handler.name for v in values):
                yield node.lineno


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_what_others_raise_is_passed_on_by_reason_of_alone(path):
    name = path.relative_to(PACKAGE.parent).as_posix()
    if name in OWN_WORDS:
        return
    lines = [line for line in passed_on(path) if "errno = " not in _line(path, line)]
    assert not lines, f"{name}, lines {lines}: put reason_of(...) around the failure"


def _line(path, number):
    return path.read_text(encoding="utf-8").splitlines()[number - 1]


def test_the_walk_finds_a_message_that_is_passed_on(tmp_path):
    path = tmp_path / "m.py"
    path.write_text(
        "try:\n    pass\nexcept ValueError as error:\n    raise DataError(f'no: {error}')\n"
    )
    assert list(passed_on(path)) == [4]


def test_json_that_is_none_is_told_with_its_place():
    with pytest.raises(ValueError) as caught:
        json.loads("{")
    assert "line 1 column 2" in reason_of(caught.value)

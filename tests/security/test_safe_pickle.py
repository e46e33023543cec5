"""Pickles from strangers: data comes through, whatever would act does not."""

from __future__ import annotations

import io
import pickle
import struct

import numpy as np
import pytest

from eactf.errors import DataError, UnsafeFileError
from eactf.safe_pickle import load_pickle

VALUES = {
    "ints": np.arange(12, dtype=">i4").reshape(3, 4),
    "floats": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "texts": np.array(["ab", "c"]),
    "flags": np.array([True, False]),
    "empty": np.ones((2, 0), np.float32),
    "objects": np.array([{"a": 1}, None], dtype=object),
    "none": np.array(3, np.int8),
}


def load(content):
    return load_pickle(io.BytesIO(content), where="file")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", VALUES)
def test_arrays_come_through_every_protocol(protocol, name):
    found = load(pickle.dumps([VALUES[name]], protocol))[0]
    assert found.dtype.kind == VALUES[name].dtype.kind
    np.testing.assert_array_equal(found, VALUES[name])


@pytest.mark.parametrize("protocol", range(3, 6))
def test_plain_values_come_through(protocol):
    value = {"a": [1, -(2**80), 2.5, None, True], b"b": ("x", b"y", b"")}
    assert load(pickle.dumps(value, protocol)) == value
    assert load(pickle.dumps(np.float32(1.5), protocol)) == np.float32(1.5)


def test_several_pickles_of_one_file_are_read_one_after_the_other():
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps([2]) + b"rest")
    assert [load_pickle(stream, where="file") for _ in range(2)] == [1, [2]]


class Call:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def test_a_call_is_refused_by_name_and_not_made(tmp_path):
    mark = tmp_path / "ran"
    with pytest.raises(UnsafeFileError, match=r"asks for io\.open") as caught:
        load(pickle.dumps(Call(open, str(mark), "w")))
    assert caught.value.exit_code == 5
    assert not mark.exists()


def named(module, name, rest=b"."):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n" + rest


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "_reconstruct.__globals__"),
        ("numpy.f2py.crackfortran", "getlincoef"),
        ("numpy.testing._private.utils", "runstring"),
        ("eactf.safe_pickle", "load_pickle"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("_codecs", "decode"),
    ],
)
def test_only_names_on_the_list_are_known(module, name):
    with pytest.raises(UnsafeFileError, match="asks for"):
        load(named(module, name))


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"
DTYPE = b"cnumpy\ndtype\n"


def array_of(dtype, shape, values):
    """An array by protocol 2's operations; every operand is free to be wrong."""
    start = RECONSTRUCT + b"(" + NDARRAY + b"(K\x00tC\x01btR"
    return start + b"(K\x01" + shape + dtype + b"\x89" + values + b"tb."


def dtype_of(code, state=b"N"):
    built = b"" if state == b"N" else state + b"b"
    return DTYPE + b"(C" + bytes([len(code)]) + code + b"\x89\x88tR" + built


PLAIN = b"(K\x03C\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"


def test_the_hand_made_array_is_right():
    content = array_of(dtype_of(b"i2", PLAIN), b"(K\x02t", b"C\x04\x01\x00\x02\x00")
    assert load(content).tolist() == [1, 2]


@pytest.mark.parametrize(
    "content",
    [
        array_of(dtype_of(b"i2", PLAIN), b"(J\xff\xff\xff\x7ft", b"C\x04abcd"),
        array_of(dtype_of(b"i2", PLAIN), b"(J\xff\xff\xff\xfft", b"C\x04abcd"),
        array_of(dtype_of(b"i2", PLAIN), b"(C\x01at", b"C\x04abcd"),
        array_of(dtype_of(b"i2", PLAIN), b"(K\x02t", b"C\x05abcde"),
        array_of(dtype_of(b"i2", PLAIN), b"(K\x02t", b"K\x04"),
        array_of(dtype_of(b"i2", PLAIN), b"(K\x02t", b"]"),
        array_of(dtype_of(b"O8", PLAIN), b"(K\x01t", b"C\x08abcdefgh"),
        array_of(dtype_of(b"V8", PLAIN), b"(K\x01t", b"C\x08abcdefgh"),
        array_of(dtype_of(b"i4,O"), b"(K\x01t", b"C\x0cabcdefghijkl"),
        array_of(dtype_of(b"(9)i8"), b"(K\x01t", b"C\x08abcdefgh"),
        array_of(dtype_of(b"S0"), b"(K\x01t", b"C\x00"),
        array_of(dtype_of(b"i2", PLAIN.replace(b"NNN", b"N(C\x01at}")), b"(K\x01t", b"C\x02ab"),
        array_of(NDARRAY, b"(K\x01t", b"C\x02ab"),
        RECONSTRUCT + b"(" + NDARRAY + b"(J\xff\xff\xff\x7ftC\x01btR.",
        RECONSTRUCT + b"(K\x00(K\x00tC\x01btR.",
        RECONSTRUCT + b"}(C\x01aK\x01ub.",
        NDARRAY + b"(K\x05tR.",
        NDARRAY + b"}(C\x01aK\x01ub.",
        b"c_codecs\nencode\n(C\x01aC\x03rottR.",
        pickle.dumps([1, 2, 3])[:-3],
        b"",
        b"no pickle at all",
    ],
)
def test_operands_that_do_not_fit_are_refused(content):
    with pytest.raises(DataError):
        load(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02]r" + struct.pack("<I", 2**31) + b".",  # a memo of 2 ** 31 entries
        b"\x80\x02]p4000000000\n.",
        b"\x80\x02\x82\x01.",  # the table of extensions of the program
        b"\x80\x02(ios\nsystem\n.",
        b"\x80\x02Pname\n.",
        b"\x80\x05\x97.",
    ],
)
def test_operations_that_no_data_needs_are_refused(content):
    with pytest.raises(UnsafeFileError, match="no data needs"):
        load(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b".",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.",
        b"\x80\x02T" + struct.pack("<I", 2**31 - 1) + b"a.",
        b"\x80\x02\x8b" + struct.pack("<I", 2**31 - 1) + b"a.",
    ],
)
def test_lengths_that_the_file_does_not_have_are_refused(content):
    with pytest.raises(DataError, match="is damaged"):
        load(content)


def test_a_deep_nest_neither_hangs_nor_crashes():
    nest = load(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")
    assert isinstance(nest, list)

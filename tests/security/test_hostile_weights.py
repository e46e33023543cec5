"""Files of weights made to do harm: each is refused before anything is called or filled."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile

import h5py
import numpy as np
import pytest
from checkpoint_files import (
    LEGACY_MAGIC,
    call,
    dictionary,
    name_of,
    pickled_state,
    program,
    state_dict,
    tensor,
    value,
    write_array_pickle,
    write_checkpoint,
    write_legacy,
    write_safetensors,
    write_zip,
)

from eactf.errors import DataError, EactfError, UnsafeFileError
from eactf.nn.weight_import import ImportOptions, import_weights, open_tensors, open_weights

ONES = np.ones(6, "float32")


def refusal(path, kind=UnsafeFileError):
    with pytest.raises(kind) as caught, open_tensors(path) as file:
        for stored in file.tensors.values():
            stored.read()
    return caught.value


def legacy_around(body):
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = b"".join(pickle.dumps(part, 2) for part in (LEGACY_MAGIC, 1001, system))
    return head + program(body) + pickle.dumps([], 2)


def wrapped(form, path, body):
    if form == "zip":
        return write_zip(path, body, [])
    path.write_bytes(program(body) if form == "pickle" else legacy_around(body))
    return path


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize(
    "module, name",
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("torch.hub", "load"),
        ("torch.nn.modules.conv", "Conv2d"),
        ("numpy", "load"),
        ("collections", "namedtuple"),
        ("eactf.safe_pickle", "load_pickle"),
    ],
)
def test_every_other_name_is_refused_by_name_in_every_form(tmp_path, form, module, name):
    mark = tmp_path / "ran"
    body = b"}(" + value("weight") + call(name_of(module, name), value(f"touch {mark}")) + b"u"
    path = wrapped(form, tmp_path / "evil.pth", body)
    failure = refusal(path)
    assert f"{module}.{name}" in failure.message
    assert failure.exit_code == 5
    assert not mark.exists()


def test_a_whole_model_is_refused_with_what_to_save_instead(tmp_path):
    path = wrapped("zip", tmp_path / "model.pth", name_of("__main__", "Net"))
    assert "model.state_dict()" in refusal(path).hint


@pytest.mark.parametrize(
    "state",
    [
        b"N}(" + value("__class__") + name_of("torch", "FloatStorage") + b"u\x86b",
        b"}(" + value("_names") + value({}) + b"ub",
    ],
)
@pytest.mark.parametrize(
    "target",
    [
        name_of("torch._utils", "_rebuild_tensor_v2"),
        name_of("collections", "OrderedDict"),
        name_of("torch", "FloatStorage"),
        name_of("torch", "float32"),
        tensor("0", ONES),
    ],
)
def test_nothing_that_a_name_gives_can_be_changed(tmp_path, target, state):
    body = b"}(" + value("weight") + target + state + b"u"
    assert "state" in refusal(write_zip(tmp_path / "x.pth", body, [ONES]), DataError).message


def test_a_torchscript_archive_is_refused_as_a_program(tmp_path):
    path = write_checkpoint(tmp_path / "x.pt", {"w": ONES}, extra=["archive/constants.pkl"])
    assert "TorchScript" in refusal(path).message


@pytest.mark.parametrize(
    "lie",
    [
        {"count": 10**12},
        {"count": 7},
        {"shape": (10**9,), "strides": (0,)},
        {"shape": (10**6, 10**6), "strides": (1, 1)},
        {"shape": (6,), "strides": (2,)},
        {"offset": 1},
    ],
)
def test_a_tensor_that_declares_more_than_its_storage_is_refused(tmp_path, lie):
    body = dictionary({"w": tensor("0", ONES, **lie)})
    assert "declares" in refusal(write_zip(tmp_path / "x.pth", body, [ONES])).message


@pytest.mark.parametrize(
    "lie",
    [
        {"offset": -1},
        {"shape": (-6,)},
        {"shape": (2, 3)},
        {"strides": (-1,)},
        {"shape": "six"},
        {"shape": (6.0,)},
        {"shape": (1,) * 70, "strides": (1,) * 70},
        {"shape": (2**70,), "strides": (0,)},
        {"count": -1},
    ],
)
def test_a_tensor_that_makes_no_sense_is_refused(tmp_path, lie):
    body = dictionary({"w": tensor("0", ONES, **lie)})
    refusal(write_zip(tmp_path / "x.pth", body, [ONES]), DataError)


def test_a_storage_that_is_not_there_is_told(tmp_path):
    path = write_zip(tmp_path / "x.pth", dictionary({"w": tensor("1", ONES)}), [ONES])
    assert "'1'" in refusal(path, DataError).message


def test_one_storage_cannot_be_of_two_types(tmp_path):
    other = np.ones(6, "int64")
    body = dictionary({"a": tensor("0", ONES), "b": tensor("0", other)})
    assert "twice" in refusal(write_zip(tmp_path / "x.pth", body, [ONES]), DataError).message


def test_compressed_members_are_refused_before_they_are_unpacked(tmp_path):
    zeros = np.zeros(10**6, "float32")
    state, compression = {"w": zeros}, zipfile.ZIP_DEFLATED
    path = write_checkpoint(tmp_path / "x.pth", state, compression=compression)
    assert path.stat().st_size < 10**5
    assert "compressed" in refusal(path).message


@pytest.mark.parametrize("writer", [write_checkpoint, write_legacy, write_array_pickle])
def test_a_file_that_is_cut_short_is_told_wherever_it_is_cut(tmp_path, writer):
    path = writer(tmp_path / "x.pth", {"a": ONES, "b": np.arange(5.0, dtype="float32")})
    whole = path.read_bytes()
    for length in range(20, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(EactfError), open_tensors(path) as file:
            for stored in file.tensors.values():
                stored.read()


@pytest.mark.parametrize("writer", [write_checkpoint, write_legacy, write_safetensors])
def test_a_file_with_any_byte_turned_gives_tensors_or_an_error_of_ours(tmp_path, writer):
    path = writer(tmp_path / "x.pth", {"a": ONES, "b": np.ones((2, 3), "float32")})
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        turned = bytes([whole[place] ^ 0x5A])
        path.write_bytes(whole[:place] + turned + whole[place + 1 :])
        try:
            with open_tensors(path) as file:
                for stored in file.tensors.values():
                    assert stored.read().nbytes <= 8 * len(whole)
        except EactfError as failure:
            assert failure.exit_code in (3, 5)


def test_legacy_storages_must_be_as_long_as_the_tensors_say(tmp_path):
    path = write_legacy(tmp_path / "x.pth", {"w": ONES})
    whole = path.read_bytes()
    at = whole.rindex(struct.pack("<q", 6))
    path.write_bytes(whole[:at] + struct.pack("<q", 2**40) + whole[at + 8 :])
    assert "size" in refusal(path, DataError).message


@pytest.mark.parametrize("keys", [[[]], [{}], ["9"], "0", []])
def test_a_legacy_list_of_storages_that_lies_is_told(tmp_path, keys):
    path = write_legacy(tmp_path / "x.pth", {"w": ONES})
    right = pickle.dumps(["0"], 2)
    path.write_bytes(path.read_bytes().replace(right, pickle.dumps(keys, 2)))
    refusal(path, DataError)


@pytest.mark.parametrize(
    "lie",
    [
        {"data_offsets": [0, 10**12], "shape": [25 * 10**10]},
        {"shape": [10**6, 10**6]},
        {"data_offsets": [24, 48]},
        {"data_offsets": [8, 0]},
    ],
)
def test_safetensors_that_point_out_of_the_file_are_refused(tmp_path, lie):
    refusal(write_safetensors(tmp_path / "x.st", {"w": ONES}, w=lie))


@pytest.mark.parametrize(
    "header",
    [
        b"{" + b'"a":{' * 2000,
        b"{" + b"[" * 10**5,
        b'{"a": 3}',
        b'{"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [true], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}',
        b'{"a": {"dtype": "F32"}}',
        b'{"a": \xff}',
    ],
)
def test_safetensors_headers_out_of_form_are_told(tmp_path, header):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    refusal(path, DataError)


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 10**7) + b'{"a": 1}')
    refusal(path)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x00" * 64, b"hello, world" * 9])
def test_what_is_no_file_of_weights_is_told(tmp_path, content):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    refusal(path, DataError)


# The file that eactf itself writes.


@pytest.fixture(scope="module")
def own_file(tmp_path_factory):
    place = tmp_path_factory.mktemp("own")
    source = write_checkpoint(place / "net.pth", state_dict("resnet18"))
    import_weights(source, place / "net.weights.h5", ImportOptions("resnet18"))
    return (place / "net.weights.h5").read_bytes()


@pytest.fixture
def changed(own_file, tmp_path):
    """Makes a copy of a good weights file with one thing changed."""

    def change(act):
        path = tmp_path / "changed.weights.h5"
        path.write_bytes(own_file)
        with h5py.File(path, "r+") as file:
            act(file)
        return path

    return change


def facts(file, **different):
    text = json.dumps(json.loads(file.attrs["facts"]) | different).encode()
    del file.attrs["facts"]
    file.attrs.create("facts", np.array(text), dtype=h5py.string_dtype("utf-8", len(text)))


def replace(file, name, **dataset):
    del file[name]
    file.create_dataset(name, **dataset)


def link(file, target):
    del file["backbone/stem_conv/kernel"]
    file["backbone/stem_conv/kernel"] = target


def external(file):
    del file["backbone/stem_bn/beta"]
    file.create_dataset("backbone/stem_bn/beta", (4,), "<f4", external=[("/etc/hostname", 0, 16)])


@pytest.mark.parametrize(
    "act",
    [
        lambda file: link(file, h5py.ExternalLink("/etc/passwd", "/x")),
        lambda file: link(file, h5py.SoftLink("/backbone/stem_bn/beta")),
        external,
    ],
    ids=["external link", "soft link", "external storage"],
)
def test_a_weights_file_that_points_elsewhere_is_refused(changed, act):
    with pytest.raises(UnsafeFileError) as caught:
        open_weights(changed(act))
    assert "eactf weights import" in caught.value.hint


@pytest.mark.parametrize(
    "act",
    [
        lambda file: facts(file, backbone="resnet50"),
        lambda file: facts(file, backbone="resnet999"),
        lambda file: facts(file, width=10**9),
        lambda file: facts(file, width=8),
        lambda file: facts(file, mean=[1.0]),
        lambda file: facts(file, std=[0.0, 1.0, 1.0]),
        lambda file: facts(file, more="?"),
        lambda file: file.attrs.create("facts", "variable length"),
        lambda file: file.attrs.create("version", 2),
        lambda file: file.attrs.create("format", np.bytes_(b"other")),
        lambda file: file.__delitem__("backbone/stem_bn"),
        lambda file: file.create_dataset("backbone/stem_bn/more", data=ONES),
        lambda file: replace(file, "backbone/stem_bn/beta", data=np.full(4, np.nan, "<f4")),
        lambda file: replace(file, "backbone/stem_bn/beta", data=np.zeros(5, "<f4")),
        lambda file: replace(file, "backbone/stem_bn/beta", data=np.zeros(4, "<f8")),
        lambda file: replace(
            file, "backbone/stem_bn/beta", data=np.zeros(4, "<f4"), chunks=(4,), compression="gzip"
        ),
    ],
)
def test_a_weights_file_that_is_not_what_it_says_is_told(changed, act):
    with pytest.raises(DataError):
        open_weights(changed(act))


def test_any_other_hdf5_file_or_file_is_no_weights_file(tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = ONES
    plain = write_zip(tmp_path / "x.pth", pickled_state({"w": ONES}), [ONES])
    for path in (other, plain):
        with pytest.raises(DataError, match="eactf imported"):
            open_weights(path)

"""NPZ and HDF5 files that would run code, read other files or exhaust the machine are refused."""

from __future__ import annotations

import io
import pickle
import zipfile

import h5py
import numpy as np
import pytest

from eactf.errors import DataError, UnsafeFileError
from eactf.intake.sources.arrays import list_arrays

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def npy(values):
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def header(text, *, version=b"\x01\x00"):
    padded = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + len(padded).to_bytes(2, "little") + padded


def write_npz(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def members(**changed):
    return {"x.npy": npy(PIXELS), "y.npy": npy(np.array([0, 1])), **changed}


def read(path):
    listing = list_arrays(path)
    listing.images.open(0).close()


@pytest.mark.parametrize("name", ["y.npy", "unused.npy"])
def test_an_array_of_objects_is_refused_before_it_is_unpickled(tmp_path, name):
    mark = tmp_path / "ran"
    content = npy(np.array([Trap(mark), 1], dtype=object))
    with pytest.raises(UnsafeFileError, match="holds Python objects"):
        read(write_npz(tmp_path / "a.npz", members(**{name: content})))
    assert not mark.exists()


def test_a_pickle_in_the_place_of_an_array_is_refused(tmp_path):
    mark = tmp_path / "ran"
    content = pickle.dumps(Trap(mark))
    with pytest.raises(DataError, match="has no header"):
        read(write_npz(tmp_path / "a.npz", members(**{"y.npy": content})))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000000000, 3, 3), }", "unsafe"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3, 3), }", "unsafe"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-2, 3, 3), }", "data"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (True, 18), }", "data"),
        ("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (2, 3, 3), }", "data"),
        ("{'descr': ('|u1', (9,)), 'fortran_order': False, 'shape': (2,), }", "data"),
        ("{'descr': '|V9', 'fortran_order': False, 'shape': (2,), }", "data"),
        ("{'descr': '|u1', 'shape': (2, 3, 3), }", "data"),
        ("__import__('os').system('true')", "data"),
        ("(" * 5000, "data"),
        ("[" * 9000 + "]" * 9000, "data"),
    ],
)
def test_a_header_that_lies_or_is_none_is_refused(tmp_path, text, kind):
    content = header(text) + PIXELS.tobytes()
    with pytest.raises(UnsafeFileError if kind == "unsafe" else DataError):
        read(write_npz(tmp_path / "a.npz", members(**{"x.npy": content})))


def test_a_bomb_is_refused_from_the_directory(tmp_path):
    size = (1 << 28) + 1
    bomb = header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},), }}")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("y.npy", npy(np.array([0, 1])))
        with archive.open("x.npy", "w") as stream:
            stream.write(bomb)
            for _ in range(256):
                stream.write(bytes(1 << 20))
            stream.write(b"\0")
    with pytest.raises(UnsafeFileError, match="made to exhaust"):
        read(tmp_path / "a.npz")


def patched(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def test_a_member_of_a_name_that_is_there_twice_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz", members(**{"z.npy": npy(PIXELS)}))
    with pytest.raises(UnsafeFileError, match="two members of one name"):
        read(patched(path, b"z.npy", b"x.npy"))


def test_members_that_overlap_are_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz", {f"{i}.npy": npy(PIXELS) for i in range(9)})
    with zipfile.ZipFile(path) as archive:
        last = archive.infolist()[-1].header_offset
        start = archive.start_dir
    content = bytearray(path.read_bytes()[last:])
    directory = start - last
    for _ in range(9):  # every entry of the directory points at the one member that is left
        content[directory + 42 : directory + 46] = (0).to_bytes(4, "little")
        directory += 46 + 5
    end = content.rindex(b"PK\5\6")
    content[end + 16 : end + 20] = (start - last).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(UnsafeFileError, match="overlap"):
        read(path)


def test_encryption_and_rare_compression_are_refused(tmp_path):
    with pytest.raises(DataError, match="encrypted or compressed"):
        read(write_npz(tmp_path / "a.npz", members(), zipfile.ZIP_LZMA))


def test_too_many_members_are_refused(tmp_path):
    many = {f"{number}.txt": b"" for number in range(1100)}
    with pytest.raises(UnsafeFileError, match="has 1,102 members"):
        read(write_npz(tmp_path / "a.npz", members(**many)))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("keep", [0, 10, 200, -30])
def test_a_file_that_is_cut_short_is_refused(tmp_path, method, keep):
    path = write_npz(tmp_path / "a.npz", members(), method)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError):
        read(path)


def test_a_compressed_array_whose_checksum_is_wrong_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2, 30, 30)).astype(np.uint8)
    path = write_npz(tmp_path / "a.npz", members(**{"x.npy": npy(noise)}), zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    content[500] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read(path)


@pytest.fixture
def hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = PIXELS, [0, 1]
    return tmp_path / "a.h5"


def soft_link(file):
    file["z"] = h5py.SoftLink("/x")


def external_link(file):
    file["z"] = h5py.ExternalLink("/etc/hostname", "/")


def link_in_a_group(file):
    file.create_group("train")["images"] = h5py.ExternalLink("/etc/hostname", "/")


def external_storage(file):
    places = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("z", (2, 3), "u1", external=places)


def virtual(file):
    layout = h5py.VirtualLayout(shape=(2, 3, 3), dtype="u1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "z", shape=(2, 3, 3))
    file.create_virtual_dataset("z", layout)


def never_written(file):
    file.create_dataset("z", (1 << 20, 1 << 10), "u1", chunks=(1024, 1024))


def huge_chunk(file):
    file.create_dataset("z", (1 << 15, 1 << 14), "u1", chunks=(1 << 15, 1 << 14))


@pytest.mark.parametrize(
    "harm",
    [
        *(soft_link, external_link, link_in_a_group, external_storage, virtual),
        *(never_written, huge_chunk),
    ],
)
def test_what_reaches_out_of_an_hdf5_file_or_exhausts_memory_is_refused(hdf5, harm):
    with h5py.File(hdf5, "r+") as file:
        harm(file)
    with pytest.raises(UnsafeFileError):
        read(hdf5)


def compound(file):
    file["z"] = np.zeros(2, [("a", "u1"), ("b", "f4")])


def references(file):
    file.create_dataset("z", (2,), h5py.ref_dtype)


def ragged(file):
    file.create_dataset("z", (2,), h5py.vlen_dtype(np.uint8))


@pytest.mark.parametrize("make", [compound, references, ragged])
def test_values_that_are_no_plain_numbers_are_refused(hdf5, make):
    with h5py.File(hdf5, "r+") as file:
        make(file)
    with pytest.raises(DataError, match="z: expected numbers, booleans or texts"):
        read(hdf5)


@pytest.mark.parametrize("keep", [0, 8, 100, 900])
def test_an_hdf5_file_that_is_cut_short_is_refused(hdf5, keep):
    hdf5.write_bytes(hdf5.read_bytes()[:keep])
    with pytest.raises(DataError):
        read(hdf5)


def test_a_group_that_holds_itself_does_not_hang(hdf5):
    with h5py.File(hdf5, "r+") as file:
        group = file.create_group("train")
        group["train"] = group
    read(hdf5)


def test_one_long_text_that_many_rows_name_is_refused(hdf5):
    with h5py.File(hdf5, "r+") as file:
        file.create_dataset("text", data=["a" * 5000, "b"], dtype=h5py.string_dtype())
    with pytest.raises(DataError, match="a text of more than"):
        read(hdf5)

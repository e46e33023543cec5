"""Files of weights written by hand, byte by byte: no PyTorch is needed to make or to read them."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile

import numpy as np

PLANS = {
    "resnet10": ((1, 1, 1, 1), False),
    "resnet18": ((2, 2, 2, 2), False),
    "resnet50": ((3, 4, 6, 3), True),
}
STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage"}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def state_dict(backbone, *, width=4, channels=3, seed=0, side=7):
    """Seeded weights by torchvision's names and in its shapes, a head of 5 classes included."""
    numbers = np.random.default_rng(seed)
    state = {}

    def conv(name, outputs, inputs, kernel):
        shape = (outputs, inputs, kernel, kernel)
        deviation = (2.0 / (inputs * kernel * kernel)) ** 0.5
        state[f"{name}.weight"] = numbers.normal(0, deviation, shape).astype("float32")

    def norm(name, count):
        state[f"{name}.weight"] = numbers.uniform(0.5, 1.2, count).astype("float32")
        state[f"{name}.bias"] = numbers.normal(0, 0.2, count).astype("float32")
        state[f"{name}.running_mean"] = numbers.normal(0, 0.2, count).astype("float32")
        state[f"{name}.running_var"] = numbers.uniform(0.5, 1.5, count).astype("float32")
        state[f"{name}.num_batches_tracked"] = np.array(7, "int64")

    blocks, bottleneck = PLANS[backbone]
    conv("conv1", width, channels, side)
    norm("bn1", width)
    inputs = width
    for stage, count in enumerate(blocks):
        filters = width * 2**stage
        outputs = 4 * filters if bottleneck else filters
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            kernels = (1, 3, 1) if bottleneck else (3, 3)
            sides = (filters, filters, outputs) if bottleneck else (filters, filters)
            before = inputs
            for number, (kernel, after) in enumerate(zip(kernels, sides, strict=True), start=1):
                conv(f"{name}.conv{number}", after, before, kernel)
                norm(f"{name}.bn{number}", after)
                before = after
            if block == 0 and (stage > 0 or inputs != outputs):
                conv(f"{name}.downsample.0", outputs, inputs, 1)
                norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    state["fc.weight"] = numbers.normal(size=(5, inputs)).astype("float32")
    state["fc.bias"] = np.zeros(5, "float32")
    return state


def value(thing):
    """A plain value as pickle operations."""
    return pickle.dumps(thing, 2)[2:-1]


def name_of(module, name):
    return f"c{module}\n{name}\n".encode()


def call(function, *arguments):
    return function + b"(" + b"".join(arguments) + b"tR"


def tensor(key, array, *, legacy=False, count=None, offset=0, shape=None, strides=None):
    """A tensor as PyTorch pickles it; what is given in place of the truth makes it a lie."""
    storage = name_of("torch", STORAGES[array.dtype.name])
    pid = [value("storage"), storage, value(key), value("cpu")]
    pid += [value(array.size if count is None else count), *([b"N"] if legacy else [])]
    truth = tuple(step // array.itemsize for step in array.strides)
    return call(
        name_of("torch._utils", "_rebuild_tensor_v2"),
        b"(" + b"".join(pid) + b"tQ",
        value(offset),
        value(array.shape if shape is None else shape),
        value(truth if strides is None else strides),
        b"\x89",
        call(name_of("collections", "OrderedDict")),
    )


def dictionary(entries, state=b""):
    """An OrderedDict of pickled values, with the attributes that PyTorch hangs on it."""
    items = b"".join(value(name) + entry for name, entry in entries.items())
    metadata = value({"_metadata": {"": {"version": 1}}})
    return call(name_of("collections", "OrderedDict")) + b"(" + items + b"u" + metadata + b"b"


def program(body):
    return b"\x80\x02" + body + b"."


def pickled_state(state, *, legacy=False):
    return dictionary(
        {
            name: tensor(str(n), array, legacy=legacy)
            for n, (name, array) in enumerate(state.items())
        }
    )


def write_zip(path, body, storages, *, compression=zipfile.ZIP_STORED, extra=()):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", program(body))
        archive.writestr("archive/byteorder", "little")
        for number, array in enumerate(storages):
            archive.writestr(f"archive/data/{number}", array.tobytes())
        for name in extra:
            archive.writestr(name, b"")
    return path


def write_checkpoint(path, state, **settings):
    """What `torch.save(state, path)` writes."""
    return write_zip(path, pickled_state(state), state.values(), **settings)


def write_legacy(path, state):
    """What PyTorch wrote before version 1.6."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    head = [pickle.dumps(part, 2) for part in (LEGACY_MAGIC, 1001, system)]
    keys = [str(number) for number in range(len(state))][::-1]
    arrays = list(state.values())
    rest = [struct.pack("<q", arrays[int(k)].size) + arrays[int(k)].tobytes() for k in keys]
    body = program(pickled_state(state, legacy=True))
    path.write_bytes(b"".join([*head, body, pickle.dumps(keys, 2), *rest]))
    return path


def write_array_pickle(path, state):
    """A pickle of NumPy arrays as Python 2 wrote the VGGFace2 release: its texts are bytes."""
    arrays = {n: a for n, a in state.items() if not n.endswith("num_batches_tracked")}
    entries = b""
    for name, array in arrays.items():
        kind = call(name_of("numpy", "dtype"), *map(value, (array.dtype.str[1:], 0, 1)))
        kind += value((3, "<", None, None, None, -1, -1, 0)) + b"b"
        content = array.tobytes()
        made = call(
            name_of("numpy.core.multiarray", "_reconstruct"),
            name_of("numpy", "ndarray"),
            value((0,)),
            b"U\x01b",
        )
        state_of = value(1) + value(array.shape) + kind + b"\x89"
        text = b"T" + struct.pack("<i", len(content)) + content
        entries += b"U" + bytes([len(name)]) + name.encode() + made
        entries += b"(" + state_of + text + b"tb"
    path.write_bytes(program(b"}(" + entries + b"u"))
    return path


def write_safetensors(path, state, **lies):
    kinds = {"float32": "F32", "float16": "F16", "int64": "I64"}
    header, content = {"__metadata__": {"format": "pt"}}, b""
    for name, array in state.items():
        place = [len(content), len(content) + array.nbytes]
        header[name] = {"dtype": kinds[array.dtype.name], "shape": list(array.shape)}
        header[name] |= {"data_offsets": place} | lies.get(name, {})
        content += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path

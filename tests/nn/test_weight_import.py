"""Imported backbones against a NumPy network, and against PyTorch where it is installed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from checkpoint_files import (
    PLANS,
    dictionary,
    pickled_state,
    state_dict,
    tensor,
    value,
    write_array_pickle,
    write_checkpoint,
    write_legacy,
    write_safetensors,
    write_zip,
)

from eactf import build_classifier
from eactf.errors import DataError, UsageError
from eactf.nn.weight_import import (
    PRESETS,
    ImportOptions,
    Preprocessing,
    import_weights,
    open_tensors,
    open_weights,
)

FORMS = {
    "zip": write_checkpoint,
    "legacy": write_legacy,
    "arrays": write_array_pickle,
    "safetensors": write_safetensors,
}
PLAIN = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def imported(source, **options):
    options = {"backbone": "resnet18", **options}
    output = source.with_suffix(".weights.h5")
    return import_weights(source, output, ImportOptions(**options), overwrite=True)


def features(weights, images):
    """The last map of a classifier that took the weights, `(N, C, h, w)` as PyTorch has it."""
    facts = weights.facts
    classifier = build_classifier(
        facts.backbone,
        image_size=images.shape[1],
        channels=facts.channels,
        classes=3,
        stem=facts.stem,
        width=facts.width,
        variant=facts.variant,
        mean=facts.mean,
        std=facts.std,
    )
    weights.apply(classifier)
    body = keras.Model(classifier.input, classifier.get_layer("pooling").input)
    return body(images).numpy().transpose(0, 3, 1, 2)


# A second residual network, channels first, in float64, straight from the torch names.


def convolve(x, kernel, stride, padding):
    padded = np.pad(x.astype("float64"), ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], kernel, optimize=True)


def normalise(x, state, name):
    scale, shift, mean, variance = (
        state[f"{name}.{part}"].astype("float64")[:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift


def pool(x, variant):
    """3x3 maximum at stride 2: padded on all sides, or windows over the edge (ceil mode)."""
    side = x.shape[2]
    starts = range(-1, side - 1, 2)
    if variant == "vggface2":
        starts = range(0, 2 * -(-(side - 3) // 2) + 1, 2)

    def window(start):
        return slice(max(start, 0), min(start + 3, side))

    rows = [[x[:, :, window(i), window(j)].max(axis=(2, 3)) for j in starts] for i in starts]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def reference(state, backbone, variant, x):
    blocks, bottleneck = PLANS[backbone]
    x = np.maximum(normalise(convolve(x, state["conv1.weight"], 2, 3), state, "bn1"), 0)
    x = pool(x, variant)
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            strides = (stride, 1)
            if bottleneck:
                strides = (stride, 1, 1) if variant == "vggface2" else (1, stride, 1)
            y = x
            for number, step in enumerate(strides, start=1):
                kernel = state[f"{name}.conv{number}.weight"]
                y = np.maximum(y, 0) if number > 1 else y
                y = convolve(y, kernel, step, kernel.shape[2] // 2)
                y = normalise(y, state, f"{name}.bn{number}")
            if f"{name}.downsample.0.weight" in state:
                x = convolve(x, state[f"{name}.downsample.0.weight"], stride, 0)
                x = normalise(x, state, f"{name}.downsample.1")
            x = np.maximum(x + y, 0)
    return x


def pixels(size, channels=3):
    numbers = np.random.default_rng(5)
    return numbers.integers(0, 256, (2, size, size, channels)).astype("float32")


def close(found, expected):
    assert found.shape == expected.shape
    assert expected.std() > 0.05, "a reference of constants proves nothing"
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize(
    "backbone, variant",
    [
        ("resnet18", "torchvision"),
        ("resnet18", "vggface2"),
        ("resnet50", "torchvision"),
        ("resnet50", "vggface2"),
    ],
)
def test_features_are_those_of_a_numpy_network(tmp_path, backbone, variant, size):
    state = state_dict(backbone)
    source = write_checkpoint(tmp_path / "net.pth", state)
    weights = imported(source, backbone=backbone, variant=variant, preprocessing=PLAIN)
    images = pixels(size) / 128 - 1
    expected = reference(state, backbone, variant, images.transpose(0, 3, 1, 2))
    close(features(weights, images), expected)


def test_the_variants_differ_so_that_the_wrong_one_would_show(tmp_path):
    state = state_dict("resnet50")
    images = pixels(64).transpose(0, 3, 1, 2) / 128 - 1
    one, other = (
        reference(state, "resnet50", variant, images) for variant in ("torchvision", "vggface2")
    )
    assert np.abs(one - other).max() > 0.1 * np.abs(one).max()


def test_the_vggface2_pickle_takes_rgb_where_the_network_took_bgr(tmp_path):
    state = state_dict("resnet50")
    weights = imported(write_array_pickle(tmp_path / "vgg.pkl", state), backbone="resnet50")
    assert (weights.facts.variant, weights.facts.channel_order) == ("vggface2", "BGR")
    images = pixels(64)
    blue_first = images[..., ::-1] - np.array([91.4953, 103.8827, 131.0912])
    expected = reference(state, "resnet50", "vggface2", blue_first.transpose(0, 3, 1, 2))
    close(features(weights, images), expected)


def test_without_a_word_a_checkpoint_is_torchvisions(tmp_path):
    state = state_dict("resnet18")
    weights = imported(write_checkpoint(tmp_path / "net.pth", state))
    images = pixels(64)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = reference(
        state, "resnet18", "torchvision", ((images / 255 - mean) / std).transpose(0, 3, 1, 2)
    )
    close(features(weights, images), expected)


def test_grey_weights_make_a_grey_network(tmp_path):
    state = state_dict("resnet18", channels=1)
    grey = Preprocessing((127.5,), (50.0,))
    weights = imported(write_checkpoint(tmp_path / "net.pth", state), preprocessing=grey)
    images = pixels(64, channels=1)
    scaled = ((images - 127.5) / 50).transpose(0, 3, 1, 2)
    close(features(weights, images), reference(state, "resnet18", "torchvision", scaled))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_gives_the_same_weights(tmp_path, form):
    state = state_dict("resnet18")
    weights = imported(FORMS[form](tmp_path / "net.bin", state), preprocessing=PLAIN)
    np.testing.assert_array_equal(
        weights.values["stage3_block1_2_conv", "kernel"],
        state["layer3.0.conv2.weight"].transpose(2, 3, 1, 0),
    )
    for part, name in (
        ("gamma", "weight"),
        ("beta", "bias"),
        ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    ):
        np.testing.assert_array_equal(
            weights.values["stage4_block1_shortcut_bn", part],
            state[f"layer4.0.downsample.1.{name}"],
        )
    assert len(weights.values) == 100


def test_what_was_written_is_what_is_read(tmp_path):
    made = imported(write_checkpoint(tmp_path / "net.pth", state_dict("resnet18")))
    read = open_weights(made.path)
    assert read.facts == made.facts
    assert read.values.keys() == made.values.keys()
    for key, values in made.values.items():
        np.testing.assert_array_equal(read.values[key], values)


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "module.encoder.net."])
def test_any_prefix_is_found(tmp_path, prefix):
    state = {prefix + name: array for name, array in state_dict("resnet18").items()}
    assert len(imported(write_checkpoint(tmp_path / "net.pth", state)).values) == 100


def test_the_numbered_layers_of_a_sequential_are_found(tmp_path):
    places = {"conv1": "0", "bn1": "1", **{f"layer{n}": str(n + 3) for n in range(1, 5)}}
    state = {}
    for name, array in state_dict("resnet18").items():
        first, rest = name.split(".", 1)
        state[f"module.features.{places[first]}.{rest}" if first in places else name] = array
    state["module.alpha.0.weight"] = np.ones((1, 32), "float32")
    found = []
    source = write_checkpoint(tmp_path / "scn.pth", state)
    weights = import_weights(
        source, tmp_path / "scn.weights.h5", ImportOptions("resnet18"), compared=found.append
    )
    assert set(found[0].left_over) == {"fc.weight", "fc.bias", "module.alpha.0.weight"}
    np.testing.assert_array_equal(
        weights.values["stage1_block2_1_conv", "kernel"],
        state["module.features.4.1.conv1.weight"].transpose(2, 3, 1, 0),
    )


def test_the_weights_may_lie_inside_a_training_checkpoint(tmp_path):
    state = state_dict("resnet18")
    optimizer = value({"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.1}]})
    body = dictionary(
        {"epoch": value(3), "optimizer": optimizer, "state_dict": pickled_state(state)}
    )
    source = write_zip(tmp_path / "run.pth.tar", body, state.values())
    with open_tensors(source) as file:
        assert file.inside == "state_dict"
    assert len(imported(source).values) == 100


def test_half_precision_and_views_of_a_storage_come_through(tmp_path):
    base = np.arange(24, dtype="float16").reshape(4, 6)
    body = dictionary(
        {
            "whole": tensor("0", base),
            "turned": tensor("0", base, shape=(6, 4), strides=(1, 6)),
            "part": tensor("0", base, offset=7, shape=(2,), strides=(6,)),
        }
    )
    with open_tensors(write_zip(tmp_path / "net.pt", body, [base])) as file:
        found = {name: stored.read() for name, stored in file.tensors.items()}
    np.testing.assert_array_equal(found["whole"], base.astype("float32"))
    np.testing.assert_array_equal(found["turned"], base.T)
    np.testing.assert_array_equal(found["part"], base.reshape(-1)[[7, 13]])


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path):
    halves = (np.array([1.5, -2.0], "<f4").view("<u4") >> 16).astype("<u2").view("<f2")
    lie = {"x": {"dtype": "BF16"}}
    with open_tensors(write_safetensors(tmp_path / "x.st", {"x": halves}, **lie)) as file:
        np.testing.assert_array_equal(file.tensors["x"].read(), [1.5, -2.0])


def refused(tmp_path, state, **options):
    source = write_checkpoint(tmp_path / "net.pth", state)
    with pytest.raises((DataError, UsageError)) as caught:
        imported(source, **options)
    assert not source.with_suffix(".weights.h5").exists()
    return caught.value


def test_no_match_is_an_error_that_shows_the_names(tmp_path):
    failure = refused(tmp_path, {"blocks.0.attention.weight": np.ones((2, 2), "float32")})
    assert "no tensor matched" in failure.message
    assert "blocks.0.attention.weight" in failure.hint


def test_a_missing_tensor_is_an_error_that_names_it(tmp_path):
    state = state_dict("resnet18")
    del state["layer4.1.bn2.running_var"]
    assert "layer4.1.bn2.running_var" in refused(tmp_path, state).message


def test_another_shape_is_an_error_that_gives_both(tmp_path):
    state = state_dict("resnet18")
    state["layer2.0.conv1.weight"] = np.ones((8, 4, 5, 5), "float32")
    message = refused(tmp_path, state).message
    assert "(8, 4, 5, 5)" in message
    assert "(8, 4, 3, 3)" in message


def test_the_weights_of_a_deeper_network_are_not_taken_in_part(tmp_path):
    failure = refused(tmp_path, state_dict("resnet18"), backbone="resnet10")
    assert "layer1.1.conv1.weight" in failure.message
    assert "--backbone resnet18" in failure.hint


def test_parts_that_the_backbone_has_not_are_refused(tmp_path):
    state = state_dict("resnet18")
    state["layer1.0.se.fc.weight"] = np.ones((4, 4), "float32")
    state["conv1.bias"] = np.ones(4, "float32")
    message = refused(tmp_path, state).message
    assert "layer1.0.se.fc.weight" in message
    assert "conv1.bias" in message


def test_two_networks_in_one_file_must_be_told_apart(tmp_path):
    one, other = state_dict("resnet18"), state_dict("resnet18", seed=1)
    state = {f"net1.{n}": a for n, a in one.items()} | {f"net2.{n}": a for n, a in other.items()}
    assert "--prefix net1" in refused(tmp_path, state).hint
    assert "'net1.'" in refused(tmp_path, state, prefix="net3").hint
    weights = imported(tmp_path / "net.pth", prefix="net2")
    np.testing.assert_array_equal(weights.values["stem_bn", "beta"], other["bn1.bias"])


@pytest.mark.parametrize("fault, part", [(np.nan, "bn1.bias"), (-1.0, "bn1.running_var")])
def test_values_that_no_training_leaves_are_refused(tmp_path, fault, part):
    state = state_dict("resnet18")
    state[part][2] = fault
    assert part in refused(tmp_path, state).message


def test_an_output_that_exists_is_kept(tmp_path):
    source = write_checkpoint(tmp_path / "net.pth", state_dict("resnet18"))
    output = tmp_path / "old.weights.h5"
    output.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        import_weights(source, output, ImportOptions("resnet18"))
    assert output.read_bytes() == b"mine"


def test_a_small_stem_is_told_by_its_kernel(tmp_path):
    state = state_dict("resnet18", side=3)
    source = write_checkpoint(tmp_path / "net.pth", state)
    assert imported(source).facts.stem == "small"
    assert imported(source, stem="compact").facts.stem == "compact"


def test_mean_and_deviation_are_kept_red_first_in_grey_levels():
    found = Preprocessing.of((0.1, 0.2, 0.3), (0.5, 0.25, 1.0), scale=255, order="BGR")
    np.testing.assert_allclose(found.mean, [76.5, 51.0, 25.5])
    np.testing.assert_allclose(found.std, [255, 63.75, 127.5])
    with pytest.raises(UsageError, match=r"0\.\.1"):
        Preprocessing.of((0.5,), (0.5,), scale=None, order="RGB")


def test_weights_for_another_classifier_are_refused(tmp_path):
    weights = imported(write_checkpoint(tmp_path / "net.pth", state_dict("resnet18")))
    with pytest.raises(DataError, match="have no place"):
        weights.apply(build_classifier("resnet18", image_size=32, classes=3, width=8))


# Against PyTorch itself.


def torch_network(torch, backbone, variant, width):
    """A residual network in PyTorch, as torchvision or the VGGFace2 release builds it."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, inputs, filters, stride, bottleneck):
            super().__init__()
            outputs = 4 * filters if bottleneck else filters
            strides = (stride, 1)
            if bottleneck:
                strides = (stride, 1, 1) if variant == "vggface2" else (1, stride, 1)
            kernels = (1, 3, 1) if bottleneck else (3, 3)
            sides = (
                (inputs, filters, filters, outputs) if bottleneck else (inputs, filters, filters)
            )
            self.count = len(kernels)
            for n, (kernel, step) in enumerate(zip(kernels, strides, strict=True)):
                conv = nn.Conv2d(sides[n], sides[n + 1], kernel, step, kernel // 2, bias=False)
                setattr(self, f"conv{n + 1}", conv)
                setattr(self, f"bn{n + 1}", nn.BatchNorm2d(sides[n + 1]))
            self.downsample = None
            if stride > 1 or inputs != outputs:
                conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = x
            for n in range(1, self.count + 1):
                y = torch.relu(y) if n > 1 else y
                y = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(y))
            return torch.relu(y + (x if self.downsample is None else self.downsample(x)))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            blocks, bottleneck = PLANS[backbone]
            self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            ceil = variant == "vggface2"
            self.maxpool = nn.MaxPool2d(3, 2, 0 if ceil else 1, ceil_mode=ceil)
            inputs = width
            for stage, count in enumerate(blocks):
                made = []
                for block in range(count):
                    stride = 2 if stage and not block else 1
                    made.append(Block(inputs, width * 2**stage, stride, bottleneck))
                    inputs = width * 2**stage * (4 if bottleneck else 1)
                setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
            self.fc = nn.Linear(inputs, 7)

        def forward(self, x):
            x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
            return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    network = Network()
    state = state_dict(backbone, width=width)
    kept = {n: torch.from_numpy(a) for n, a in state.items() if not n.startswith("fc.")}
    network.load_state_dict(kept, strict=False)
    return network.eval()


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize(
    "backbone, variant",
    [("resnet18", "torchvision"), ("resnet50", "torchvision"), ("resnet50", "vggface2")],
)
def test_features_are_those_of_torch_to_a_ten_thousandth(tmp_path, backbone, variant, size, form):
    torch = pytest.importorskip("torch")
    network = torch_network(torch, backbone, variant, width=16)
    source = tmp_path / "net.pth"
    torch.save(
        {"net": torch.nn.DataParallel(network).state_dict(), "epoch": 1, "best": torch.tensor(0.5)},
        source,
        _use_new_zipfile_serialization=form == "zip",
    )
    weights = imported(source, backbone=backbone, variant=variant, preprocessing=PLAIN)
    images = pixels(size) / 128 - 1
    with torch.no_grad():
        expected = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    found = features(weights, images)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_torch_parameters_and_half_precision_come_through(tmp_path):
    torch = pytest.importorskip("torch")
    source = tmp_path / "net.pth"
    kept = {
        "parameter": torch.nn.Parameter(torch.arange(6.0).reshape(2, 3)),
        "bfloat": torch.tensor([1.5, -2.0]).bfloat16(),
        "turned": torch.arange(6.0).reshape(2, 3).t(),
    }
    torch.save(kept, source)
    with open_tensors(source) as file:
        for name, original in kept.items():
            expected = original.detach().float().numpy()
            np.testing.assert_array_equal(file.tensors[name].read(), expected)


def test_the_presets_are_those_of_the_releases():
    np.testing.assert_allclose(np.array(PRESETS["imagenet"].mean) / 255, [0.485, 0.456, 0.406])
    assert PRESETS["vggface2"].mean == (131.0912, 103.8827, 91.4953)

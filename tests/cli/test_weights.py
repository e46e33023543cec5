"""`eactf weights`: importing, what it prints, its exit codes, and training from the result."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from checkpoint_files import call, name_of, state_dict, value, write_checkpoint, write_zip

from eactf.data.pipeline import ImageForm
from eactf.errors import UsageError
from eactf.recipe import load_recipe
from eactf.training.build import backbone_weights

SMALL = (
    "data.drawn.train=16",
    "data.drawn.validation=16",
    "data.drawn.test=16",
    "data.drawn.size=48",
    "train.epochs=1",
    "train.batch_size=16",
)
NETWORK = (
    "data.channels=3",
    "model.backbone=resnet18",
    "model.stem=imagenet",
    "model.width=4",
)


def sets(*settings):
    return [word for setting in settings for word in ("--set", setting)]


def events(result):
    return {line["event"]: line for line in map(json.loads, result.stdout.splitlines())}


@pytest.fixture
def checkpoint(tmp_path):
    state = {f"module.{name}": array for name, array in state_dict("resnet18").items()}
    return write_checkpoint(tmp_path / "net.pth", state)


@pytest.fixture
def imported(invoke, checkpoint, tmp_path):
    """Imports the checkpoint with further flags, and gives the file made."""

    def run(*flags):
        output = tmp_path / "face.weights.h5"
        result = invoke(
            "weights", "import", checkpoint, "--backbone", "resnet18", "-o", output, *flags
        )
        assert result.exit_code == 0, result.output
        return output

    return run


def test_an_import_tells_what_matched_and_what_was_left_over(invoke, checkpoint, tmp_path):
    output = tmp_path / "face.weights.h5"
    result = invoke("weights", "import", checkpoint, "--backbone", "resnet18", "-o", output)
    assert result.exit_code == 0, result.output
    assert "all of resnet18      100  100" in result.output
    assert "module.fc.weight (5, 32)" in result.output
    assert "20 batch counters" in result.output
    assert f"--set model.weights={output}" in result.output


def test_with_json_every_name_is_there(invoke, checkpoint, tmp_path):
    output = tmp_path / "face.weights.h5"
    flags = ("--backbone", "resnet18", "-o", output, "--json")
    result = invoke("weights", "import", checkpoint, *flags)
    found = events(result)
    assert len(found["compared"]["matched"]) == found["compared"]["expected"] == 100
    assert found["compared"]["matched"]["module.conv1.weight"] == "stem_conv/kernel"
    assert found["compared"]["left_over"] == {"module.fc.weight": [5, 32], "module.fc.bias": [5]}
    assert found["imported"]["variant"] == "torchvision"
    shown = events(invoke("weights", "show", output, "--json"))["weights"]
    assert shown["mean"] == found["imported"]["mean"]
    assert shown["source"] == "net.pth"


def test_mean_deviation_scale_and_order_are_taken_down(imported, invoke):
    values = ("--mean", "0.1,0.2,0.3", "--std", "0.5,0.5,0.5", "--scale", "255")
    output = imported(*values, "--channel-order", "BGR")
    shown = events(invoke("weights", "show", output, "--json"))["weights"]
    np.testing.assert_allclose(shown["mean"], [76.5, 51, 25.5])
    np.testing.assert_allclose(shown["std"], [127.5] * 3)
    assert shown["channel_order"] == "BGR"
    assert "takes RGB" in invoke("weights", "show", output).output


@pytest.mark.parametrize(
    "flags, word",
    [
        (["--mean", "0.5,0.5,0.5"], "--std"),
        (["--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5"], "--scale 255"),
        (["--mean", "1,2,3", "--std", "0,1,1"], "above 0"),
        (["--mean", "1,x", "--std", "1"], "numbers between commas"),
        (["--mean", "1,2", "--std", "1,2"], "expected 3"),
        (["--mean", "90", "--std", "40"], "three channels"),
        (["--scale", "255"], "--mean"),
        (["--channel-order", "BGR"], "--preprocessing"),
        (["--preprocessing", "imagenet", "--mean", "9,9,9", "--std", "9,9,9"], "both"),
        (["--prefix", "ema"], "'module.'"),
    ],
)
def test_flags_that_do_not_work_are_usage_errors(invoke, checkpoint, tmp_path, flags, word):
    output = tmp_path / "face.weights.h5"
    result = invoke("weights", "import", checkpoint, "--backbone", "resnet18", "-o", output, *flags)
    assert result.exit_code == 2
    assert word in result.stderr
    assert not output.exists()


def test_the_output_is_named_for_what_it_is_and_not_overwritten(invoke, checkpoint, imported):
    start = ("weights", "import", checkpoint, "--backbone", "resnet18", "-o")
    result = invoke(*start, "face.h5")
    assert result.exit_code == 2
    assert "face.weights.h5" in result.stderr
    output = imported()
    assert invoke(*start, output).exit_code == 2
    assert invoke(*start, output, "--overwrite").exit_code == 0


def test_no_match_is_exit_3_and_a_hostile_file_exit_5(invoke, tmp_path):
    output = tmp_path / "x.weights.h5"
    end = ("--backbone", "resnet18", "-o", output)
    other = write_checkpoint(tmp_path / "other.pth", {"a.weight": np.ones(3, "float32")})
    result = invoke("weights", "import", other, *end)
    assert (result.exit_code, "no tensor matched" in result.stderr) == (3, True)
    evil = write_zip(tmp_path / "evil.pth", call(name_of("os", "system"), value("true")), [])
    result = invoke("weights", "import", evil, *end)
    assert (result.exit_code, "os.system" in result.stderr) == (5, True)
    assert invoke("weights", "import", tmp_path / "none.pth", *end).exit_code == 2
    assert not output.exists()


def test_a_partial_match_shows_the_table_and_fails(invoke, tmp_path):
    state = state_dict("resnet18")
    del state["layer3.0.bn1.bias"]
    source = write_checkpoint(tmp_path / "part.pth", state)
    output = tmp_path / "x.weights.h5"
    result = invoke("weights", "import", source, "--backbone", "resnet18", "-o", output)
    assert result.exit_code == 3
    assert "incomplete" in result.stdout
    assert "layer3.0.bn1.bias" in result.stderr


def test_a_head_of_8631_people_brings_up_vggface2(invoke, tmp_path):
    state = state_dict("resnet50") | {"fc.weight": np.zeros((8631, 128), "float32")}
    source = write_checkpoint(tmp_path / "vgg.pth", state)
    output = tmp_path / "x.weights.h5"
    result = invoke("weights", "import", source, "--backbone", "resnet50", "-o", output)
    assert "--variant vggface2" in result.output


def test_a_recipe_trains_from_the_weights_and_its_classifier_opens(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = state_dict("resnet10")
    write_checkpoint(tmp_path / "net.pth", state)
    flags = ("--backbone", "resnet10", "--preprocessing", "vggface2", "--variant", "vggface2")
    result = invoke("weights", "import", "net.pth", "-o", "face.weights.h5", *flags)
    assert result.exit_code == 0, result.output
    settings = (
        *SMALL,
        "data.channels=3",
        "data.normalization=weights",
        "model.stem=imagenet",
        "model.width=4",
        "model.weights=face.weights.h5",
        "method.name=cross_entropy",
        # A rate that moves nothing: the trained classifier still shows what it started from.
        "optimizer.learning_rate=1e-12",
    )
    result = invoke("train", "--recipe", "quickstart", *sets(*settings))
    assert result.exit_code == 0, result.output
    assert "weights    face.weights.h5 (resnet10, vggface2, from net.pth)" in result.output
    folder = tmp_path / "runs" / "quickstart"
    model = keras.models.load_model(folder / "model.keras")
    kernel = model.get_layer("stage4_block1_2_conv").kernel.numpy()
    np.testing.assert_allclose(
        kernel, state["layer4.0.conv2.weight"].transpose(2, 3, 1, 0), atol=1e-6
    )
    stem = model.get_layer("stem_conv").kernel.numpy()
    turned = state["conv1.weight"].transpose(2, 3, 1, 0)[:, :, ::-1]
    np.testing.assert_allclose(stem, turned, atol=1e-6)
    assert model.get_layer("stem_pool_pad").padding == ((0, 1), (0, 1))
    mean = np.ravel(model.get_layer("normalization").input_mean)
    np.testing.assert_allclose(mean, [131.0912, 103.8827, 91.4953], rtol=1e-6)
    assert invoke("evaluate", folder).exit_code == 0


def test_every_difference_from_the_recipe_is_told_with_what_to_set(invoke, imported):
    output = imported("--preprocessing", "vggface2")
    settings = (f"model.weights={output}", "model.backbone=resnet34", "model.width=8")
    result = invoke("train", "--recipe", "quickstart", "--dry-run", *sets(*SMALL, *settings))
    assert result.exit_code == 2
    for setting in (*NETWORK, "data.normalization=weights"):
        assert f"--set {setting}" in result.stderr
    assert "131.1" in result.stderr


def test_imagenets_normalisation_is_the_same_by_either_name(imported):
    settings = (*NETWORK, f"model.weights={imported()}")

    def checked(normalization):
        words = (*settings, f"data.normalization={normalization}")
        return backbone_weights(load_recipe("quickstart", words).recipe, ImageForm(48, 3))

    assert checked("imagenet").facts == checked("weights").facts
    with pytest.raises(UsageError, match=r"data\.normalization = dataset"):
        checked("dataset")


def test_weights_that_are_not_there_and_normalisation_without_any_are_told(invoke):
    start = ("train", "--recipe", "quickstart", "--dry-run", *sets(*SMALL))
    result = invoke(*start, *sets("model.weights=none.weights.h5"))
    assert (result.exit_code, "none.weights.h5" in result.stderr) == (2, True)
    result = invoke(*start, *sets("data.normalization=weights"))
    assert (result.exit_code, "model.weights" in result.stderr) == (2, True)


def test_weights_for_a_foreign_backbone_have_no_effect_and_are_refused(invoke):
    settings = ("model.backbone=keras_applications:MobileNetV2", "model.weights=x.weights.h5")
    result = invoke("train", "--recipe", "quickstart", "--dry-run", *sets(*settings))
    assert result.exit_code == 2
    assert "model.weights" in result.stderr

"""Whole runs of methods that learn labels of several kinds."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from eactf.cli import cli
from eactf.errors import DataError, Interrupted
from eactf.faces import draw_faces
from eactf.metrics import concordance
from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
]

TINY = (
    "data.drawn.train=24",
    "data.drawn.validation=8",
    "data.drawn.test=12",
    "data.drawn.size=32",
    "train.epochs=2",
    "train.batch_size=10",
    "model.width=4",
    "model.features=32",
    "report.last_epochs=2",
)
MULTI_TASK = (*TINY, "method.name=multi_task")


@pytest.fixture
def made(recipe):
    """Makes a recipe of several kinds of labels, small enough for a test."""
    return lambda *settings: recipe(*settings, name="multitask-drawn", small=False)


def run(resolved, folder):
    from eactf.training.run import train

    return train(resolved, run_dir=folder, command=["eactf", "train"]).result


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of MultiTask."""
    from eactf.recipe import load_recipe

    folder = tmp_path_factory.mktemp("runs") / "multi"
    run(load_recipe("multitask-drawn", (*MULTI_TASK, "report.every_epoch=true")), folder)
    return folder


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def some_faces(count=12):
    return draw_faces(count, size=32, seed=3)[0]


def test_a_run_judges_numbers_by_their_concordance_and_tells_what_the_given_ones_were_worth(
    finished,
):
    result = json.loads((finished / "result.json").read_text())
    for part in ("last_epoch", "mean_of_last_epochs", "best_on_validation"):
        assert set(result[part]["concordance"]) == {"valence", "arousal"}
        assert all(-1 <= value <= 1 for value in result[part]["concordance"].values())
    assert 0.2 < result["given_values"]["valence"] < 0.99
    lines = lines_of(finished / "judged.jsonl")
    ends = [line["concordance"]["valence"] for line in lines]
    mean = result["mean_of_last_epochs"]["concordance"]["valence"]
    assert mean == pytest.approx(np.mean(ends))
    logged = lines_of(finished / "metrics.jsonl")
    assert {"expression_loss", "affect_loss", "loss"} <= set(logged[-1])


def test_the_whole_encoder_and_its_classifier_open_with_keras_alone(finished):
    faces = some_faces()
    outputs = keras.saving.load_model(finished / "encoder.keras").predict(faces, verbose=0)
    logits = keras.saving.load_model(finished / "model.keras").predict(faces, verbose=0)
    assert set(outputs) == {"mean", "log_variance", "expression", "affect"}
    assert outputs["affect"].shape == (12, 2)
    np.testing.assert_allclose(outputs["expression"], logits, atol=1e-6)


def test_the_figures_are_those_of_the_encoder_that_is_kept(finished, made):
    from eactf.data.prepare import prepare_data

    test = prepare_data(made(*MULTI_TASK).recipe).test
    faces = test.images
    outputs = keras.saving.load_model(finished / "encoder.keras").predict(faces, verbose=0)
    judged = json.loads((finished / "result.json").read_text())["last_epoch"]
    for place, name in enumerate(("valence", "arousal")):
        expected = concordance(outputs["affect"][:, place], test.values[name])
        assert judged["concordance"][name] == pytest.approx(expected, abs=1e-5)
    accuracy = np.mean(outputs["expression"].argmax(axis=1) == test.given)
    assert judged["accuracy"] == pytest.approx(accuracy)


def test_evaluate_gives_the_concordance_of_each_number(finished):
    result = CliRunner().invoke(cli, ["evaluate", str(finished), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[0])
    judged = json.loads((finished / "result.json").read_text())["last_epoch"]
    assert told["concordance"] == pytest.approx(judged["concordance"], abs=1e-5)
    assert told["confusion"] == judged["confusion"]


@pytest.mark.parametrize("model", ["", "encoder.keras"])
def test_predict_gives_class_and_numbers(finished, tmp_path, model):
    Image.fromarray(some_faces()[0, :, :, 0]).save(tmp_path / "face.png")
    table = tmp_path / "said.csv"
    command = ["predict", str(finished / model), str(tmp_path / "face.png"), "--csv", str(table)]
    result = CliRunner().invoke(cli, [*command, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[0])
    assert set(told["values"]) == {"valence", "arousal"}
    heads, row = (line.split(",") for line in table.read_text().splitlines())
    assert heads[-2:] == ["valence", "arousal"]
    assert float(row[-2]) == pytest.approx(told["values"]["valence"], abs=1e-5)


@pytest.mark.usefixtures("eagerly")
def test_the_joint_law_goes_on_within_an_epoch_to_the_bit(made, tmp_path, monkeypatch):
    from eactf.training import fitting, resume
    from eactf.training.checkpoints import read_checkpoint

    settings = (*TINY, "method.adversarial_start=1")
    run(made(*settings), tmp_path / "whole")

    class Stop(fitting.StepGuard):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if (self.state.epoch, self.state.step) == (1, 1):
                raise Interrupted("enough")

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "StepGuard", Stop)
        with pytest.raises(Interrupted):
            run(made(*settings), tmp_path / "run")
    resume(tmp_path / "run")
    for which in ("last", "best"):
        one, two = (
            read_checkpoint(tmp_path / name / "checkpoints" / f"{which}.npz").state
            for name in ("whole", "run")
        )
        assert one.keys() == two.keys()
        for name, array in one.items():
            np.testing.assert_array_equal(array, two[name], err_msg=name)
    lines = lines_of(tmp_path / "run" / "metrics.jsonl")
    assert [line["joint"]["counted"] for line in lines] == [False, True]
    assert {"joint_loss", "discriminator_loss", "discriminator_accuracy"} <= set(lines[1])


@pytest.mark.filterwarnings("default:the discriminator's mean loss")
@pytest.mark.usefixtures("eagerly")
def test_a_run_tells_plainly_that_the_joint_law_was_stopped(made, tmp_path, capsys):
    run(made(*TINY, "method.adversarial_start=0", "method.stop_below=100"), tmp_path / "run")
    told = capsys.readouterr().err
    assert "the discriminator's mean loss was" in told
    assert "UserWarning" not in told
    lines = lines_of(tmp_path / "run" / "metrics.jsonl")
    assert [line["joint"] for line in lines] == [
        {"counted": True, "stopped": True},
        {"counted": False, "stopped": True},
    ]


@pytest.fixture
def of_data(recipe):
    """Makes a recipe for packed data, small enough for a test."""
    sizes = (setting for setting in TINY if not setting.startswith("data."))
    small = ("data.image_size=32", "noise.kind=none", "method.name=multi_task", *sizes)

    def make(data, *settings):
        given = (f"data.path={data}", *small, *settings)
        return recipe(*given, name="raf-db-multitask", small=False)

    return make


def packed(path, **columns):
    """Twelve training images of three classes, with these columns."""
    drawn = np.random.default_rng(0)
    images = drawn.integers(0, 256, (16, 32, 32, 1), dtype=np.uint8)
    whole = Samples(images, np.arange(16), np.arange(16) % 3, **columns)
    splits = {
        "train": whole.take(np.arange(10)),
        "validation": whole.take(np.arange(10, 13)),
        "test": whole.take(np.arange(13, 16)),
    }
    write_packed(path, Dataset(("a", "b", "c"), splits, "made"))
    return path


def test_several_annotators_are_heads_of_their_own(of_data, tmp_path):
    others = {"second": np.array([0, 1, -1, 2] * 4), "third": np.arange(16) % 2}
    data = packed(tmp_path / "data.h5", labels=others)
    own = ("method.label=first", "method.label_sets=[second, third]", "method.values={}")
    result = run(of_data(data, *own), tmp_path / "run")
    assert "concordance" not in result["last_epoch"]
    encoder = keras.saving.load_model(tmp_path / "run" / "encoder.keras")
    assert {"first", "second", "third"} < set(encoder.output)
    lines = lines_of(tmp_path / "run" / "metrics.jsonl")
    assert {"first_loss", "second_loss", "third_loss"} <= set(lines[0])


def test_what_the_data_lacks_is_named_before_a_folder_is_made(of_data, tmp_path):
    valence = np.where(np.arange(16) < 14, np.nan, 0.5)  # known of test images alone
    data = packed(tmp_path / "data.h5", values={"valence": valence, "pain": np.ones(16)})
    with pytest.raises(DataError) as caught:
        run(of_data(data, "method.label_sets=[second]"), tmp_path / "run")
    assert "label set 'second'" in caught.value.message
    assert "continuous target 'valence'" in caught.value.message  # known of test alone
    assert "continuous target 'arousal'" in caught.value.message
    assert "continuous targets: pain" in caught.value.hint
    assert not (tmp_path / "run").exists()

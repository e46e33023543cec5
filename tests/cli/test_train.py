"""`eactf train` from the outside: one real two-epoch run and what it leaves behind."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from fresh_processes import on_x86
from PIL import Image

from eactf.faces import EXPRESSIONS

FILES = {
    "recipe.yaml",
    "run.json",
    "command.txt",
    "environment.json",
    "labels.csv",
    "samples.csv",
    "data.json",
    "noise.json",
    "metrics.jsonl",
    "history.csv",
    "scores.csv",
    "traces.npz",
    "checkpoints/last.npz",
    "checkpoints/best.npz",
    "model.keras",
    "result.json",
    "status.json",
}


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_run_leaves_every_file_it_promises_and_no_other(trained):
    _, folder = trained
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == FILES


def test_tensorflow_says_nothing_on_the_terminal(trained):
    process, _ = trained
    assert process.stderr == ""


def test_where_there_is_no_terminal_each_epoch_is_one_plain_line(trained):
    process, _ = trained
    lines = process.stdout.splitlines()
    for epoch in ("1/2", "2/2"):
        (line,) = [line for line in lines if line.strip().startswith(epoch)]
        # Training, validation, macro recall and the lowest recall on validation.
        assert len(re.findall(r"\d+\.\d%", line)) == 4
    assert "\x1b" not in process.stdout
    assert "\r" not in process.stdout


def test_the_status_says_finished(trained):
    status = read_json(trained[1] / "status.json")
    assert status["state"] == "finished"
    assert status["epoch"] == 2
    assert status["updated"] >= status["started"]


def test_the_epochs_are_logged_twice_with_the_same_figures(trained):
    _, folder = trained
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    with (folder / "history.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [1, 2]
    assert [list(row) for row in rows] == [list(line) for line in table]
    assert {"loss", "consistency", "cross_entropy", "map_spread", "val_macro_recall"} <= set(
        rows[0]
    )
    for row, line in zip(rows, table, strict=True):
        assert all(float(line[name]) == value for name, value in row.items())
    assert rows[1]["learning_rate"] == pytest.approx(0.5 * rows[0]["learning_rate"])


def test_the_printed_digest_is_that_of_the_label_file(trained):
    process, folder = trained
    digest = hashlib.sha256((folder / "labels.csv").read_bytes()).hexdigest()
    assert digest[:12] in process.stdout
    assert read_json(folder / "result.json")["noise"]["sha256"] == digest


def test_the_labels_name_every_training_sample_with_the_promised_noise(trained):
    process, folder = trained
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["id"] for row in rows}) == 60
    assert sum(row["given"] != row["clean"] for row in rows) == 18  # exactly 30 % of 60
    assert "30.00% of the labels wrong (30% requested)" in process.stdout


def test_the_result_holds_the_figures_of_the_protocol(trained):
    result = read_json(trained[1] / "result.json")
    assert result["method"] == "eac"
    assert result["judged_on"] == "test"
    assert result["mean_of_last_epochs"]["epochs"] == 2
    assert result["last_epoch"]["count"] == 30
    for section in ("last_epoch", "mean_of_last_epochs", "best_on_validation"):
        figures = result[section]
        assert figures["balanced_accuracy"] == figures["macro_recall"]
        assert figures["lowest_recall"] <= figures["macro_recall"]
        assert figures["lowest_recall_classes"]
        low, high = figures["accuracy_interval"]
        assert low <= figures["accuracy"] <= high
    assert np.sum(result["last_epoch"]["confusion"]) == 30
    assert result["best_on_validation"]["epoch"] in (1, 2)
    assert 0 <= result["memorised_wrong_labels"] <= 1
    assert result["collapsed"] is False
    assert result["seconds"] > 0


def test_the_resolved_recipe_says_where_its_values_came_from_and_loads_again(trained):
    from eactf.recipe import load_recipe

    path = trained[1] / "recipe.yaml"
    text = path.read_text(encoding="utf-8")
    assert re.search(r"width: 4 .*--set", text)
    assert load_recipe(str(path)).recipe.data.drawn.train == 60


def test_command_and_environment_are_kept(trained):
    process, folder = trained
    assert (folder / "command.txt").read_text().startswith("eactf train --recipe quickstart --set ")
    environment = read_json(folder / "environment.json")
    assert {"tensorflow", "keras", "numpy"} <= environment["packages"].keys()
    assert "CPU" in environment["devices"]
    kernels = environment["kernels"]
    assert kernels["TF_ENABLE_ONEDNN_OPTS"] == ("1" if on_x86() else None)
    assert ("  kernels    oneDNN" in process.stdout) == bool(kernels["onednn"])


def test_the_classifier_opens_with_keras_alone_in_a_process_without_eactf(trained, tmp_path):
    from eactf.evaluation.storage import open_classifier_file

    path = trained[1] / "model.keras"
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import os, sys\n"
        "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
        "sys.modules['eactf'] = None\n"
        "import keras, numpy\n"
        f"model = keras.saving.load_model({str(path)!r})\n"
        "logits = model(numpy.load('images.npy'), training=False)\n"
        "numpy.save('logits.npy', numpy.asarray(logits))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    ours = open_classifier_file(path).model(images, training=False)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), ours, rtol=1e-4, atol=1e-4)


def test_a_second_run_gets_a_free_name_and_json_is_json_only(trained, eactf, small):
    _, folder = trained
    before = (folder / "status.json").read_bytes()
    place = folder.parents[1]
    arguments = ["--recipe", "quickstart", *small, "--set", "train.epochs=1", "--json"]
    process = eactf("train", *arguments, cwd=place)
    assert process.returncode == 0, process.stderr
    events = [json.loads(line) for line in process.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", "epoch", "result"]
    assert events[-1]["folder"] == "runs/quickstart-2"
    assert (place / "runs" / "quickstart-2" / "model.keras").is_file()
    assert process.stderr == ""
    assert (folder / "status.json").read_bytes() == before


def test_an_existing_run_folder_is_refused_and_left_alone(invoke, small, tmp_path):
    (tmp_path / "mine").mkdir()
    result = invoke("train", "--recipe", "quickstart", *small, "--run-dir", tmp_path / "mine")
    assert result.exit_code == 2
    assert "exists" in result.stderr
    assert not list((tmp_path / "mine").iterdir())


def test_a_recipe_that_needs_data_says_how_to_give_it(invoke):
    result = invoke("train", "--recipe", "ferplus-noise20")
    assert result.exit_code == 2
    assert "--data" in result.stderr


def test_a_data_file_that_is_not_there_is_a_usage_error(invoke, tmp_path):
    result = invoke("train", "--recipe", "ferplus-noise20", "--data", tmp_path / "no.h5")
    assert result.exit_code == 2
    assert "no.h5" in result.stderr


def test_a_wrong_data_file_is_refused_in_plain_words(invoke, tmp_path):
    path = tmp_path / "faces.h5"
    path.write_bytes(b"not an HDF5 file")
    result = invoke("train", "--recipe", "ferplus-noise20", "--data", path)
    assert result.exit_code == 3
    assert "faces.h5" in result.stderr
    assert "Traceback" not in result.stderr


def test_failures_are_json_too_where_json_is_asked_for(invoke, tmp_path):
    result = invoke("train", "--recipe", "ferplus-noise20", "--json", "--data", tmp_path / "no.h5")
    told = json.loads(result.stderr)
    assert told["event"] == "error"
    assert told["exit_code"] == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    "setting",
    ["model.backbone=keras_applications:NoSuchNet", "method.corruptions=[no_such_layer]"],
)
def test_a_network_or_corruption_that_does_not_exist_is_a_usage_error(invoke, small, setting):
    result = invoke("train", "--recipe", "quickstart", *small, "--dry-run", "--set", setting)
    assert result.exit_code == 2, result.output
    assert setting.partition("=")[2].strip("[]").rpartition(":")[2] in result.stderr


def test_a_folder_that_cannot_be_made_is_a_usage_error(invoke, small, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = invoke("train", "--recipe", "quickstart", *small, "--run-dir", tmp_path / "file" / "r")
    assert result.exit_code == 2
    assert "cannot be made" in result.stderr


def test_a_failure_of_the_machine_is_told_without_a_traceback(invoke, monkeypatch):
    import eactf.recipe

    def fail(*_):
        raise OSError(28, "No space left on device", "runs/x")

    monkeypatch.setattr(eactf.recipe, "list_recipes", fail)
    result = invoke("recipes", "list")
    assert result.exit_code == 1
    assert result.stderr == "eactf: No space left on device: runs/x\n"


def test_neither_recipe_nor_data_is_a_usage_error_with_both_ways_on(invoke):
    result = invoke("train")
    assert result.exit_code == 2
    assert "--data FOLDER" in result.stderr and "--recipe quickstart" in result.stderr


def test_data_of_ones_own_trains_by_a_plan_and_is_judged_fairly_after_it_has_grown(
    invoke, eactf, tmp_path
):
    from PIL import Image

    from eactf.faces import EXPRESSIONS, draw_faces

    images, labels = draw_faces(64, size=32)
    for number, (image, label) in enumerate(zip(images[..., 0], labels, strict=True)):
        place = tmp_path / "my faces" / EXPRESSIONS[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    process = eactf("train", "--data", "my faces", "--set", "train.epochs=1", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "plan " in process.stdout and f"{EXPRESSIONS[0]} " in process.stdout
    run = tmp_path / "runs" / "own-data"
    before = read_json(run / "result.json")["last_epoch"]
    more, _ = draw_faces(1, size=32, start=900)
    Image.fromarray(more[0, ..., 0]).save(tmp_path / "my faces" / "anger" / "000.png")
    result = invoke("evaluate", run, "--split", "validation", "--json")
    assert result.exit_code == 0, result.output
    event = json.loads(result.stdout)
    assert event["confusion"] == before["confusion"]
    assert "images 1 new" in event["remarks"][0]
    other = invoke("evaluate", run, "--data", tmp_path / "my faces", "--json")
    event = json.loads(other.stdout)
    assert event["count"] == before["count"] + 1
    assert "were trained on by this run and left out" in event["remarks"][0]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_an_option_that_only_packing_has_is_advised_with_the_packing_command(
    invoke, trained, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    rows = ["path,first,second"]
    for number in range(24):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(f"{number}.png")
        rows.append(f"{number}.png,{EXPRESSIONS[number % 7]},{EXPRESSIONS[number % 7]}")
    (tmp_path / "faces.csv").write_text("\n".join(rows) + "\n")
    words = {
        "train": [
            *("train", "--recipe", "ferplus-human-small", "--dry-run"),
            *("--set", "noise.kind=none", "--data"),
        ],
        "evaluate": ["evaluate", trained[1], "--split", "train", "--data"],
    }[command]
    result = invoke(*words, "faces.csv")
    assert result.exit_code == 3, result.output
    told = re.search(r"eactf (data pack \S*faces.csv -o faces.h5 --label) NAME", result.stderr)
    assert told is not None, result.stderr
    assert "then give --data faces.h5:" in result.stderr
    assert invoke(*told[1].split(), "second").exit_code == 0
    result = invoke(*words, "faces.h5")
    assert result.exit_code == 0, result.output

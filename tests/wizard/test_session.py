"""The wizard over data sets of many shapes, answered by files; nothing is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from eactf.cli import cli
from eactf.data.prepare import prepare_data
from eactf.errors import Interrupted
from eactf.packed import open_packed
from eactf.recipe import load_recipe
from eactf.wizard.answering import Answerer, Written
from eactf.wizard.cost import StepTime
from eactf.wizard.label_rules import NoiseEstimate
from eactf.wizard.measuring import Commands, Measured, MeasuringError, read_noise
from eactf.wizard.session import Settings, run_wizard
from wizard.shapes import SHAPES, copies_in_train


@pytest.fixture
def wizard(tmp_path, monkeypatch):
    """Runs `eactf wizard` in an empty folder, with nothing to type at."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(*arguments, answers=None):
        words = ["wizard", *map(str, arguments), "--no-measure"]
        if answers is not None:
            (tmp_path / "answers.yaml").write_text(answers)
            words += ["--answers", str(tmp_path / "answers.yaml")]
        return CliRunner().invoke(cli, words)

    return run


def values_of(path):
    recipe = load_recipe(path)
    return recipe.recipe, sorted(recipe.sources)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_data_set_of_any_shape_gives_a_recipe_that_opens_its_data(
    wizard, tmp_path, folder, draw, shape
):
    path, expected = shape(tmp_path, folder, draw)
    answers = "minutes: 10\nquality: some\nrecipe: mine\npack: yes\nwrite: yes\nmerge: yes\n"
    answers += f"labels: {expected.get('noise.labels', 'as given')}\n"
    before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    result = wizard(path, answers=answers)
    assert result.exit_code == 0, result.output
    assert "next:\n  eactf train --recipe mine.yaml" in result.output
    resolved = load_recipe("mine.yaml")
    for key, value in expected.items():
        found = resolved.recipe
        for part in key.split("."):
            found = getattr(found, part)
        assert found == value, key
    data = prepare_data(resolved.recipe)
    assert len(data.train) and len(data.validation)
    assert data.train.images.shape[1] == resolved.recipe.data.image_size
    assert all(file.read_bytes() == content for file, content in before.items())


def test_a_packed_file_is_used_as_it_is(wizard, folder):
    wizard(folder(), "--yes", "-o", "first.yaml")
    result = wizard("first.h5", "--yes", "-o", "second.yaml")
    assert result.exit_code == 0, result.output
    recipe = load_recipe("second.yaml").recipe
    assert recipe.data.path is not None and recipe.data.path.endswith("here/first.h5")
    assert "packed" not in result.output.rpartition("because")[2]


def test_joined_spellings_are_one_class(wizard, folder):
    path = folder(classes=("Happy", "happy_", "sad"))
    wizard(path, "--yes", "-o", "joined.yaml")
    assert len(open_packed("joined.h5").class_names) == 2
    wizard(path, "--yes", "-o", "apart.yaml", answers="merge: no\n")
    assert len(open_packed("apart.h5").class_names) == 3


def test_labels_that_look_missing_are_classes_where_the_answer_says_so(wizard, tmp_path, draw):
    for number in range(30):
        draw(tmp_path / "i" / f"{number}.png", number)
    rows = [f"i/{number}.png,{('happy', 'NA', 'sad')[number % 3]}" for number in range(30)]
    (tmp_path / "faces.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    result = wizard(tmp_path / "faces.csv", "--yes", "-o", "left.yaml")
    assert result.exit_code == 0, result.output
    assert open_packed("left.h5").class_names == ("happy", "sad")
    result = wizard(tmp_path / "faces.csv", "--yes", "-o", "kept.yaml", answers="missing: no\n")
    assert result.exit_code == 0, result.output
    assert open_packed("kept.h5").class_names == ("happy", "NA", "sad")
    result = wizard(tmp_path / "faces.csv", "--yes", "-o", "said.yaml", "--missing", "na")
    assert open_packed("said.h5").class_names == ("happy", "sad")


def test_a_column_of_two_values_named_clean_is_asked_about(wizard, tmp_path, draw):
    for number in range(30):
        draw(tmp_path / "i" / f"{number}.png", number)
    rows = [f"i/{number}.png,{number % 3},{number % 2}" for number in range(30)]
    path = tmp_path / "faces.csv"
    path.write_text("\n".join(["path,label,clean", *rows]) + "\n")
    result = wizard(path, "--yes", "-o", "flags.yaml")
    assert result.exit_code == 0, result.output
    assert "clean is taken as right or wrong" in result.output
    assert open_packed("flags.h5").splits["train"].clean is None
    result = wizard(path, "--yes", "-o", "true.yaml", answers="clean: true labels\n")
    assert result.exit_code == 0, result.output
    truth = open_packed("true.h5").splits["train"].clean
    assert truth is not None and set(truth.tolist()) == {0, 1}


def test_copies_of_an_image_are_on_one_side_of_the_held_out_share(wizard, tmp_path, folder, draw):
    path, _ = copies_in_train(tmp_path, folder, draw)
    result = wizard(path, "--yes", "-o", "mine.yaml")
    assert "copies of an image stay on one side" in " ".join(result.output.split())
    data = open_packed("mine.h5")
    train, held = (
        {image.tobytes() for image in data.splits[split].images}
        for split in ("train", "validation")
    )
    assert held and not train & held
    assert "validation_fraction" not in (tmp_path / "here" / "mine.yaml").read_text()


def test_what_checking_calls_an_error_stops_the_wizard_too(wizard, folder):
    path = folder(count=30)
    copied = next((path / "train").rglob("*.png"))
    for number, place in enumerate(sorted((path / "test").iterdir())):
        (place / f"copy{number}.png").write_bytes(copied.read_bytes())
    result = wizard(path, "--yes", "-o", "mine.yaml")
    assert result.exit_code == 3
    assert "duplicates-across-splits" in result.output
    assert not Path("mine.yaml").exists()


def test_what_is_left_out_is_told_with_its_count(wizard, folder):
    path = folder(count=30)
    (path / "notes.txt").write_text("about these faces")
    result = wizard(path, "--yes", "-o", "mine.yaml")
    assert result.exit_code == 0, result.output
    assert "left out: 1 file, hidden or no images" in result.output


def test_test_images_are_never_held_out(wizard, folder):
    wizard(folder(count=60), "--yes", "-o", "mine.yaml")
    assert len(open_packed("mine.h5").splits["test"]) == 120
    assert load_recipe("mine.yaml").recipe.data.validation_fraction == 0.2


def test_bad_images_are_left_out_within_the_budget_and_stop_beyond_it(wizard, folder):
    path = folder(count=10)
    (path / "train" / "no" / "bad.png").write_bytes(b"no image")
    result = wizard(path, "--yes")
    assert result.exit_code == 3
    assert "1 of 41 images cannot be used" in result.output
    assert "--max-bad 0.025" in result.output
    result = wizard(path, "--yes", "--max-bad", "0.025", "-o", "mine.yaml")
    assert result.exit_code == 0, result.output
    assert "left out 1: see mine.quarantine.csv" in result.output


@pytest.mark.parametrize(
    ("splits", "classes", "message"),
    [(("test",), ("no", "yes"), "labelled image to train on"), (("train",), ("no",), "one class")],
)
def test_data_that_cannot_be_learnt_from_is_refused(wizard, folder, splits, classes, message):
    result = wizard(folder(splits=splits, classes=classes), "--yes")
    assert result.exit_code == 3
    assert message in result.output


def test_without_answers_and_terminal_every_missing_answer_is_listed(wizard, folder, tmp_path):
    result = wizard(folder())
    assert result.exit_code == 2
    for key in ("quality", "minutes", "recipe", "pack"):
        assert f"\n  {key} " in result.output
    assert "default my-data.yaml" in result.output
    assert list((tmp_path / "here").iterdir()) == []


def test_without_a_path_and_a_terminal_the_path_is_asked_for(wizard):
    result = wizard("--yes")
    assert result.exit_code == 2
    assert "eactf wizard PATH" in result.output


def test_a_missing_last_answer_is_told_before_anything_is_measured(wizard, folder):
    answers = "quality: some\nminutes: 5\nrecipe: mine\npack: no\n"
    result = wizard(folder(), answers=answers)
    assert result.exit_code == 2
    assert "1 answer is missing" in result.output and "Write mine.yaml?" in result.output
    assert "because" not in result.output


def test_wrong_answers_stop_before_anything_is_written(wizard, folder, tmp_path):
    answers = "quality: fine\nminutes: -1\nlabel: x\nwrite: maybe\n"
    result = wizard(folder(), "--yes", answers=answers)
    assert result.exit_code == 2
    assert "4 problems" in result.output
    assert list((tmp_path / "here").iterdir()) == []


def test_an_answer_that_is_not_asked_for_is_mentioned(wizard, folder):
    result = wizard(folder(), "--yes", answers="merge: yes\nlabels: as given\nwrite: yes\n")
    assert result.exit_code == 0
    assert "not asked here: merge, labels\n" in result.output


def test_no_writes_nothing(wizard, folder, tmp_path):
    result = wizard(folder(), "--yes", answers="write: no\n")
    assert result.exit_code == 0
    assert "nothing was written" in result.output
    assert list((tmp_path / "here").iterdir()) == []


def test_nothing_is_overwritten_unless_asked_for(wizard, folder):
    path = folder()
    assert wizard(path, "--yes", "-o", "mine.yaml").exit_code == 0
    again = wizard(path, "--yes", "-o", "mine.yaml")
    assert again.exit_code == 2
    assert "mine.yaml exists" in again.output
    assert wizard(path, "--yes", "-o", "mine.yaml", "--overwrite").exit_code == 0


def test_saved_answers_replay_the_same_recipe(wizard, folder, tmp_path):
    path, saved = folder(count=30), tmp_path / "saved.yaml"
    answers = "quality: clean\nminutes: 1\nrecipe: mine\n"
    wizard(path, "--yes", "--save-answers", saved, answers=answers)
    first = values_of("mine.yaml")
    assert saved.read_text().splitlines()[:2] == ["quality: clean", 'minutes: "1"']
    assert wizard(path, "--yes", "--save-answers", saved).exit_code == 2
    result = wizard(path, "--overwrite", answers=saved.read_text())
    assert result.exit_code == 0, result.output
    assert values_of("mine.yaml") == first


@pytest.mark.parametrize(
    ("name", "message"),
    [("no/such/a.yaml", "a folder that is not there"), ("mine.yaml", "would replace")],
)
def test_answers_that_cannot_be_saved_are_told_before_anything_is_written(
    wizard, folder, tmp_path, name, message
):
    result = wizard(folder(), "--yes", "-o", "mine.yaml", "--save-answers", name)
    assert result.exit_code == 2
    assert message in result.output
    assert list((tmp_path / "here").iterdir()) == []


def test_the_users_own_arrays_are_not_replaced_by_the_packed_images(wizard, tmp_path):
    faces = tmp_path / "here" / "faces.h5"
    with h5py.File(faces, "w") as file:
        file["x_train"] = np.random.default_rng(0).integers(0, 256, (20, 28, 28), "uint8")
        file["y_train"] = np.arange(20) % 2
    before = faces.read_bytes()
    result = wizard(faces, "--yes", "--overwrite", "-o", "faces.yaml")
    assert result.exit_code == 0, result.output
    assert faces.read_bytes() == before
    assert load_recipe("faces.yaml").recipe.data.path == str(faces.with_name("faces-2.h5"))


def test_images_of_which_none_can_be_held_out_are_refused(wizard, folder):
    result = wizard(folder(splits=("train",), count=1), "--yes")
    assert result.exit_code == 3
    assert "no class with two different images" in " ".join(result.output.split())


def test_the_recipe_names_the_images_by_a_path_without_detours(wizard, folder, tmp_path):
    folder()
    result = wizard(Path("..") / "faces", "--yes", "-o", "mine.yaml", answers="pack: no\n")
    assert result.exit_code == 0, result.output
    assert load_recipe("mine.yaml").recipe.data.path == str(tmp_path / "faces")


def test_a_budget_of_bad_images_is_put_down_to_who_gave_it(wizard, folder):
    wizard(folder(), "--yes", "-o", "mine.yaml", "--max-bad", "0.5", answers="pack: no\n")
    assert "# you: more would stop the run" in Path("mine.yaml").read_text()


def test_a_default_nobody_chose_is_not_put_down_to_the_user(wizard, folder):
    wizard(folder(), "--yes", "-o", "mine.yaml")
    text = Path("mine.yaml").read_text()
    assert "name: eac" in text
    assert "# default: some labels are wrong" in text
    assert "# you" not in text
    wizard(folder(), "--yes", "-o", "yours.yaml", answers="quality: some\n")
    assert "# you: some labels are wrong" in Path("yours.yaml").read_text()


def test_json_tells_the_plan_and_the_next_command(wizard, folder):
    result = wizard(folder(), "--yes", "--json", "-o", "mine.yaml")
    event = json.loads(result.stdout.splitlines()[-1])
    assert event["event"] == "wizard"
    assert event["recipe"] == "mine.yaml"
    assert event["next"] == "eactf train --recipe mine.yaml"
    assert event["plan"]["data.channels"] == {
        "value": 1,
        "origin": "from the data",
        "reason": "no image has a colour",
    }


class Fake:
    """Measures by saying so."""

    possible = True

    def __init__(self, step=0.01, rate=0.3, devices="1 CPU", fails=""):
        self.seconds, self.rate, self.devices, self.fails = step, rate, devices, fails
        self.steps = []

    def step(self, plan):
        if self.fails:
            raise MeasuringError(self.fails)
        self.steps.append(plan.network)
        return Measured(StepTime(self.seconds, self.seconds / 3, measured=True), self.devices)

    def noise(self, path, options, told):
        told(90.0)
        if self.fails:
            raise MeasuringError(self.fails)
        pairs = (("no", "yes", 0.4),)
        return NoiseEstimate(self.rate, self.rate - 0.04, self.rate + 0.04, "eac", pairs=pairs)


@pytest.fixture
def measured(tmp_path, monkeypatch, options, folder, cpu):
    """Runs the wizard's session with a fake that measures; every default is taken."""
    monkeypatch.chdir(tmp_path)

    def run(fake, machine=cpu, written=None):
        answerer = Answerer(written or {}, defaults=True)
        run_wizard(folder(), answerer, Settings(options, fake, machine))
        return load_recipe("my-data.yaml"), (tmp_path / "my-data.yaml").read_text()

    return run


def measure_labels():
    return {"quality": Written("measure", "answers.yaml, line 1")}


def test_a_measured_step_decides_the_epochs(measured):
    recipe, text = measured(Fake(step=10.0))
    assert recipe.recipe.train.epochs == 18
    assert "# measured: 5 minutes at 10 s a step" in text
    assert "by a step measured here" in recipe.header["takes"]


def test_measured_noise_decides_the_method(measured, capsys):
    _, text = measured(Fake(rate=0.31), written=measure_labels())
    assert "name: eac" in text
    assert "# measured: about 31% of the labels look wrong (27% to 35%)" in text
    assert "40% of no are rather yes" in capsys.readouterr().out


def test_a_measurement_that_fails_leaves_estimates_and_says_so(measured, capsys):
    recipe, text = measured(Fake(fails="no TensorFlow"), written=measure_labels())
    assert "# default: not measured; taken as partly wrong" in text
    assert "by estimate" in recipe.header["takes"]
    told = capsys.readouterr().err
    assert "the labels could not be measured: no TensorFlow" in " ".join(told.split())
    assert "the times are estimates" in " ".join(told.split())


def test_a_gpu_that_tensorflow_does_not_use_is_left_out_of_the_plan(measured, gpu, capsys):
    recipe, _ = measured(Fake(devices="1 CPU"), machine=gpu)
    assert recipe.recipe.train.precision == "float32"
    assert "does not use the GPU" in capsys.readouterr().err


def test_ctrl_c_while_measuring_leaves_nothing(measured, tmp_path):
    class Stopped(Fake):
        def step(self, plan):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing was written"):
        measured(Stopped())
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_ctrl_c_while_packing_or_writing_leaves_nothing(measured, tmp_path, monkeypatch):
    def stop(path, text):
        assert (tmp_path / "my-data.h5").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("eactf.wizard.making.files.write_text", stop)
    with pytest.raises(Interrupted):
        measured(Fake())
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_a_command_that_fails_gives_its_own_reason(tmp_path, options):
    with pytest.raises(MeasuringError, match="nothing"):
        Commands().noise(tmp_path / "nothing", options, print)


def test_the_noise_event_of_the_command_line_is_read():
    estimate = read_noise(
        {
            "rate": 0.2,
            "low": 0.15,
            "high": 0.25,
            "class_names": ["no", "yes"],
            "matrix": [[90, 30], [10, 70]],
            "advice": {
                "method": "eac",
                "settings": {"method.consistency_weight": 5.0},
                "text": "EAC.",
            },
        }
    )
    assert (estimate.method, estimate.text) == ("eac", "EAC.")
    assert estimate.settings == {"method.consistency_weight": 5.0}
    assert estimate.pairs == (("yes", "no", 0.3), ("no", "yes", 0.1))


def test_an_estimate_that_tells_nothing_is_not_called_a_share():
    event = {"rate": 0.12, "low": 0.0, "high": 0.77, "tells": False}
    event |= {"class_names": ["no", "yes"], "matrix": [[90, 30], [10, 70]]}
    estimate = read_noise(event)
    assert estimate.found == "how many labels are wrong cannot be told (0% to 77%)"
    assert estimate.pairs == ()


def test_a_share_that_people_told_says_so():
    event = {"rate": 0.37, "low": 0.33, "high": 0.41, "by": "200 checks"}
    event |= {"class_names": ["no", "yes"], "matrix": [[90, 30], [10, 70]]}
    assert read_noise(event).found == (
        "about 37% of the labels are wrong (33% to 41%), by 200 checks"
    )


def test_a_share_that_networks_read_leaves_room_for_what_people_get_wrong():
    event = {"rate": 0.09, "low": 0.05, "high": 0.13, "by_networks": {"highest": 0.52}}
    event |= {"class_names": ["no", "yes"], "matrix": [[90, 30], [10, 70]]}
    assert read_noise(event).found == (
        "about 9% of the labels look wrong (5% to 13%; up to 52% if people made them)"
    )


def test_checks_that_a_person_has_begun_are_measured_with(tmp_path, options, monkeypatch):
    from eactf.checked.folder import CheckFolder
    from eactf.checked.store import CheckStore
    from eactf.wizard import measuring

    asked = []

    def run(arguments, hear=None):
        asked.append(arguments[3:])
        event = {"event": "noise", "rate": 0.1, "low": 0.0, "high": 0.2}
        return [event | {"class_names": ["a", "b"], "matrix": [[9, 1], [1, 9]]}]

    monkeypatch.setattr(measuring, "_run", run)
    monkeypatch.chdir(tmp_path)
    Commands().noise(tmp_path / "faces", options, print)
    given = np.arange(100) % 2
    store = CheckStore(np.arange(100), given, np.full((100, 2), 0.5), ("a", "b"), ("--seed", "3"))
    CheckFolder.make(tmp_path / "faces.checks", store)
    Commands().noise(tmp_path / "faces", options, print)
    assert asked[0][1:3] == ["--limit", "10000"]
    assert asked[1][1:5] == ["--checks", "faces.checks", "--seed", "3"]


def test_the_wizard_imports_no_tensorflow():
    code = (
        "import sys, eactf.wizard.session, eactf.cli.wizard\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

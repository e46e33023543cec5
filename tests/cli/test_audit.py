"""`eactf audit`, `data apply` and `data undo`: from a finished run to data that trains again."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from eactf.packed import open_packed


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def audited(eactf, trained, tmp_path_factory):
    """The folder of an audit of the small run, and what the command said."""
    _, run = trained
    out = tmp_path_factory.mktemp("audited") / "audit"
    process = eactf("audit", run, "-o", out, "--json", cwd=out.parent)
    assert process.returncode == 0, process.stderr
    return out, json.loads(process.stdout.splitlines()[-1])


def test_a_run_is_audited_by_what_its_training_showed(audited, trained):
    out, told = audited
    suspects = rows_of(out / "suspects.csv")
    assert told["event"] == "audit"
    assert told["samples"] == 60
    assert len(suspects) == told["suspects"] > 0
    assert [row["decision"] for row in suspects] == [""] * len(suspects)
    scores = [float(row["label_score"]) for row in suspects]
    assert scores == sorted(scores)
    scored = {row["id"]: row for row in rows_of(trained[1] / "scores.csv")}
    for row in suspects:
        assert row["given_label"] == scored[row["id"]]["given"]
        assert float(row["mean_loss"]) == pytest.approx(float(scored[row["id"]]["loss"]), rel=1e-3)
        assert float(row["map_change"]) > 0


def test_an_audit_is_not_overwritten_and_answers_in_it_never(audited, trained, eactf):
    out, _ = audited
    again = eactf("audit", trained[1], "-o", out, cwd=out.parent)
    assert (again.returncode, "holds an audit" in again.stderr) == (2, True)
    suspects = out / "suspects.csv"
    before = suspects.read_text()
    rows = rows_of(suspects)
    with suspects.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{**row, "decision": "drop"} for row in rows])
    again = eactf("audit", trained[1], "-o", out, "--overwrite", cwd=out.parent)
    assert (again.returncode, "has decisions in it" in again.stderr) == (2, True)
    suspects.write_text(before)


def test_decisions_make_data_that_trains_and_can_be_taken_back(audited, eactf, tmp_path):
    out, _ = audited
    first, second, *_ = rows_of(out / "suspects.csv")
    with (out / "decisions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "given_label", "decision", "label"])
        writer.writeheader()
        for row, choice in ((first, "relabel"), (second, "drop")):
            kept = {name: row[name] for name in ("id", "given_label")}
            writer.writerow({**kept, "decision": choice, "label": row["predicted_label"]})
    mended = tmp_path / "mended.h5"
    applied = eactf("data", "apply", out / "decisions.csv", "-o", mended, cwd=tmp_path)
    assert applied.returncode == 0, applied.stderr
    assert "1 label was changed, 1 image was dropped" in applied.stdout
    data = open_packed(mended)
    train = data.splits["train"]
    assert second["id"] not in map(str, train.ids)
    label = train.given[train.ids.tolist().index(int(first["id"]))]
    assert data.class_names[label] == first["predicted_label"]
    undone = eactf("data", "undo", mended, "-o", "before.h5", cwd=tmp_path)
    assert undone.returncode == 0, undone.stderr
    before = open_packed(tmp_path / "before.h5").splits["train"]
    assert len(before) == len(train) + 1
    # What planted noise had replaced is the true label of the data that is made.
    assert np.mean(before.given != before.clean) == pytest.approx(0.3)
    settings = ("noise.kind=none", "model.width=4", "train.epochs=1", "train.batch_size=16")
    again = eactf(
        *("train", "--recipe", "quickstart", "--data", mended),
        *(word for setting in settings for word in ("--set", setting)),
        cwd=tmp_path,
    )
    assert again.returncode == 0, again.stderr


def test_decisions_that_lie_alone_must_name_their_data(eactf, tmp_path):
    (tmp_path / "decisions.csv").write_text("id,decision\n1,drop\n")
    alone = eactf("data", "apply", "decisions.csv", cwd=tmp_path)
    assert alone.returncode == 2
    assert "--data FILE.h5" in alone.stderr


def test_what_belongs_to_data_is_refused_for_a_run(eactf, trained, tmp_path):
    answer = eactf("audit", trained[1], "--folds", "3", "-o", tmp_path / "audit", cwd=tmp_path)
    assert answer.returncode == 2
    assert "--folds does not apply to a run" in answer.stderr


def test_data_is_audited_and_mended_without_a_run(invoke, tmp_path, monkeypatch):
    """The networks are stood in for: they say the true class, and know it."""
    from eactf.faces import drawn_face_dataset
    from eactf.noise import apply_noise
    from eactf.packed import write_packed
    from eactf.training import noise_audit

    def at_once(samples, classes, plan, **_):
        numbers = np.random.default_rng(0)
        said = numbers.uniform(0.0, 0.1, (len(samples), classes)) ** 2
        said[np.arange(len(samples)), samples.clean] = 1.0
        return said / said.sum(axis=1, keepdims=True)

    monkeypatch.setattr(noise_audit, "out_of_fold", at_once)
    monkeypatch.chdir(tmp_path)
    drawn = drawn_face_dataset(train=200, validation=3, test=0, size=16, difficulty=0.0)
    train, manifest = apply_noise(
        drawn.splits["train"], drawn.class_names, kind="symmetric", rate=0.2, seed=1
    )
    write_packed(tmp_path / "faces.h5", replace(drawn, splits={**drawn.splits, "train": train}))
    result = invoke("audit", "faces.h5")
    assert result.exit_code == 0, result.output
    wrong = set(train.ids[train.given != train.clean].tolist())
    suspects = rows_of(tmp_path / "faces.audit" / "suspects.csv")
    assert {int(row["id"]) for row in suspects} == wrong
    assert f"{len(wrong)} labels are likelier wrong than right, of 200" in result.output
    filled = tmp_path / "faces.audit" / "decisions.csv"
    with filled.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(suspects[0]))
        writer.writeheader()
        writer.writerows([{**row, "decision": "relabel"} for row in suspects])
    result = invoke("data", "apply", filled, "-o", "mended.h5")
    assert result.exit_code == 0, result.output
    mended = open_packed(tmp_path / "mended.h5").splits["train"]
    np.testing.assert_array_equal(mended.given, mended.clean)
    assert manifest.realised > 0.1

"""`eactf data noise`, end to end on a few drawn faces."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from shallow_networks import shallow_resnets

from eactf.faces import drawn_face_dataset
from eactf.noise import apply_noise
from eactf.packed import write_packed


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """110 easy faces of 16 px with a fifth of the labels wrong, and 4 faces of an eighth class."""
    path = tmp_path_factory.mktemp("noise") / "faces.h5"
    drawn = drawn_face_dataset(train=114, validation=3, test=0, size=16, difficulty=0.0)
    train, _ = apply_noise(
        drawn.splits["train"], drawn.class_names, kind="symmetric", rate=0.2, seed=1
    )
    given, clean = train.given.copy(), train.clean.copy()
    given[:4] = clean[:4] = 7
    names = np.array([f"face_{number:03d}.png" for number in range(114)])
    train = replace(train, given=given, clean=clean, names=names)
    splits = {"train": train, "validation": drawn.splits["validation"]}
    write_packed(path, replace(drawn, class_names=(*drawn.class_names, "rare"), splits=splits))
    return path


@pytest.fixture(scope="module")
def answered(packed, tmp_path_factory):
    """The command's JSON lines and the suspects that it wrote."""
    from click.testing import CliRunner

    from eactf.cli import cli

    output = tmp_path_factory.mktemp("suspects") / "suspects.csv"
    command = ["data", "noise", str(packed), "--folds", "2", "--json", "-o", str(output)]
    with shallow_resnets():
        result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    with output.open(encoding="utf-8", newline="") as file:
        return events, list(csv.DictReader(file))


def test_json_tells_rate_interval_matrix_and_advice(answered):
    (*_, event), _ = answered
    assert event["event"] == "noise"
    assert 0 <= event["low"] <= event["rate"] <= event["high"] <= 1
    assert np.shape(event["matrix"]) == (8, 8)
    assert np.sum(event["matrix"]) == pytest.approx(110, abs=0.5)
    assert event["advice"]["settings"]["method.name"] == event["advice"]["method"]
    assert event["folds"] == 2
    assert event["true_rate"] == pytest.approx(0.2, abs=0.1)


def test_a_class_with_too_few_samples_is_named_and_not_judged(answered):
    (*_, event), suspects = answered
    assert event["unjudged"] == {"rare": 4}
    assert event["samples"] == 110
    assert event["per_class"]["rare"] is None
    assert "rare" not in {row["given_label"] for row in suspects}


def test_the_suspects_are_written_worst_first_with_their_names(answered):
    (*_, event), suspects = answered
    assert len(suspects) == event["suspects_in_all"]
    scores = [float(row["score"]) for row in suspects]
    assert scores == sorted(scores, reverse=True)
    for row in suspects:
        assert row["filepath"] == f"face_{int(row['id']):03d}.png"
        assert row["split"] == "train"
        assert row["given_label"] != row["predicted_label"]
        assert row["is_label_issue"] == "True"
        assert float(row["label_score"]) < 0.5 < float(row["mistakenness"])


def test_the_expected_time_is_told_while_it_trains(answered):
    events, _ = answered
    assert events[0]["event"] == "expected"
    assert events[0]["seconds"] > 0


def test_a_person_gets_rate_table_suspects_advice_and_the_next_command(packed, invoke, monkeypatch):
    from eactf.training import noise_audit

    def at_once(samples, classes, plan, **_):
        right = np.full((len(samples), classes), 1e-4)
        right[np.arange(len(samples)), samples.clean] = 1.0
        return right / right.sum(axis=1, keepdims=True)

    monkeypatch.setattr(noise_audit, "out_of_fold", at_once)
    result = invoke("data", "noise", packed)
    assert result.exit_code == 0, result.output
    for words in (
        "of the labels are wrong",
        "by the clean labels that the data knows",
        "not judged, too few samples: rare (4)",
        "face_",
        "advice",
        "next: eactf train --recipe",
    ):
        assert words in result.output


def test_an_output_that_exists_is_refused_before_anything_is_trained(packed, invoke, tmp_path):
    output = tmp_path / "suspects.csv"
    output.write_text("mine")
    result = invoke("data", "noise", packed, "-o", output)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert output.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--split", "test"], 2, "has no test split"),
        (["--split", "validation"], 3, "too few"),
        (["--limit", "50"], 3, "too few"),
        (["--label-set", "crowd"], 3, "no label set 'crowd'"),
        (["-o", "no/such/folder.csv"], 2, "does not exist"),
    ],
)
def test_what_cannot_be_judged_is_refused(packed, invoke, arguments, code, words):
    result = invoke("data", "noise", packed, *arguments)
    assert result.exit_code == code
    assert words in result.stderr


def test_an_interrupt_leaves_nothing_written(packed, invoke, tmp_path, monkeypatch):
    from eactf.training import noise_audit

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(noise_audit, "out_of_fold", interrupted)
    result = invoke("data", "noise", packed, "-o", tmp_path / "suspects.csv")
    assert result.exit_code == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rate", "high", "contradicted", "told"),
    [
        (0.0, 0.03, 0.6, "up to 60%[/bold] if they fall on the hard ones"),
        (0.1, 0.13, 0.21, "about 10% of the labels are wrong[/bold] (between 0% and 13%)"),
        (0.1, 0.5, 0.6, "cannot be told[/bold]: between 0% and 50%"),
    ],
)
def test_a_low_reading_of_much_contradicted_labels_is_not_told_alone(
    rate, high, contradicted, told
):
    from eactf.cli.data.noise_shown import _headline
    from eactf.noise.estimate import NoiseEstimate

    nothing = np.zeros((1, 2))
    found = NoiseEstimate(
        rate=rate,
        low=0.0,
        high=high,
        disagreement=contradicted,
        paired=False,
        counts=np.eye(2),
        noise=np.eye(2),
        likely=np.zeros(1, int),
        probability=nothing,
        score=nothing[:, 0],
    )
    head, below = _headline(found)
    assert told in head
    assert f"{contradicted:.0%} of them" in below

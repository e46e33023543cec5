"""Every rule of the plan by table, each with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eactf.intake.fingerprint import Spread
from eactf.wizard import image_rules, label_rules, time_rules
from eactf.wizard.choices import Choice, Origin
from eactf.wizard.cost import Network, StepTime, estimate_step, map_side
from eactf.wizard.label_rules import GIVEN, NoiseEstimate, WrongLabels
from eactf.wizard.machine import Gpu, Machine
from eactf.wizard.plan import Answers, make_plan, packed_bytes, usual_minutes, validation_share
from eactf.wizard.time_rules import Budget, Pace

SOME = WrongLabels(0.1, Origin.YOU, "some labels are wrong")
FIVE = Choice(5.0, Origin.DEFAULT, "the paper's")
SMALL = Network("resnet10", "small", 16, 48, 1)


def said(choice):
    """A choice as the recipe will show it: the value, and the words behind it."""
    return choice.value, choice.because


@pytest.mark.parametrize(
    ("side", "on_gpu", "expected"),
    [
        (48, False, (48, "from the data: stored as 48x48")),
        (64, False, (64, "from the data: stored as 64x64")),
        (224, True, (224, "from the data: stored as 224x224")),
        (28, False, (28, "from the data: stored as 28x28")),
        (
            16,
            False,
            (32, "from the data: stored as 16x16, enlarged: the network needs a map of 4x4"),
        ),
        (
            100,
            False,
            (64, "from this machine: stored as 100x100; more costs a CPU too much time"),
        ),
        (100, True, (100, "from the data: stored as 100x100")),
        (
            512,
            True,
            (224, "from this machine: stored as 512x512; more costs a GPU too much time"),
        ),
    ],
)
def test_images_are_trained_on_as_stored_within_what_the_device_bears(
    fingerprint, cpu, gpu, side, on_gpu, expected
):
    machine = gpu if on_gpu else cpu
    assert said(image_rules.image_size(fingerprint(side=side), machine)) == expected


def test_images_that_are_not_square_are_said_to_be_squeezed(fingerprint, cpu):
    wide = fingerprint(widths=Spread(60, 60, 60), heights=Spread(48, 48, 48), aspect=(1.25, 1.25))
    expected = (48, "from the data: stored as 60x48, squeezed to squares")
    assert said(image_rules.image_size(wide, cpu)) == expected


def test_images_of_several_sizes_get_a_multiple_of_eight_near_the_median(fingerprint, cpu):
    mixed = fingerprint(
        same_size=False,
        widths=Spread(40, 61, 300),
        heights=Spread(44, 70, 310),
        short_side=Spread(40, 61, 300),
    )
    expected = (56, "from the data: stored as 40-300 x 44-310; the median short side is 61")
    assert said(image_rules.image_size(mixed, cpu)) == expected


@pytest.mark.parametrize(
    ("grey_share", "expected"),
    [
        (1.0, (1, "from the data: no image has a colour")),
        (0.0, (3, "from the data: colour")),
        (0.25, (3, "from the data: colour, 25% grey")),
    ],
)
def test_channels_follow_the_colours(fingerprint, grey_share, expected):
    assert said(image_rules.channels(fingerprint(grey_share=grey_share))) == expected


def test_pixels_are_normalised_by_the_data_itself():
    expected = ("dataset", "default: from random weights, the data's own mean and deviation")
    assert said(image_rules.normalization()) == expected


@pytest.mark.parametrize(
    ("size", "expected", "side"),
    [
        (28, "small", 4),
        (32, "small", 4),
        (48, "small", 6),
        (56, "small", 7),
        (64, "small", 8),
        (72, "compact", 5),
        (100, "compact", 7),
        (112, "compact", 7),
        (128, "compact", 8),
        (160, "imagenet", 5),
        (224, "imagenet", 7),
    ],
)
def test_the_stem_is_the_one_whose_map_is_nearest_to_seven(size, expected, side):
    reason = f"from the data: {size} px give a map of {side}x{side}; the paper has 7x7"
    assert said(image_rules.stem(size)) == (expected, reason)


def test_map_sides_are_those_of_the_network():
    assert [map_side(48, stem) for stem in ("small", "compact", "imagenet")] == [6, 3, 2]


@pytest.mark.parametrize(
    ("gpus", "flag", "expected"),
    [
        ((), "", ("float32", "from this machine: the CPU has no fast bfloat16")),
        ((), "avx512_bf16", ("mixed_bfloat16", "from this machine: the CPU has avx512_bf16")),
        ((), "amx_bf16", ("mixed_bfloat16", "from this machine: the CPU has amx_bf16")),
        ((8.0,), "", ("mixed_bfloat16", "from this machine: G8.0 is quicker with it")),
        ((7.5,), "", ("mixed_float16", "from this machine: G7.5 has no bfloat16")),
        ((6.1,), "", ("float32", "from this machine: G6.1 is no quicker with 16 bits")),
        ((9.0, 7.0), "", ("mixed_float16", "from this machine: G7.0 has no bfloat16")),
    ],
)
def test_precision_follows_the_weakest_device(gpus, flag, expected):
    found = tuple(Gpu(f"G{capability}", capability, 2**34) for capability in gpus)
    assert said(time_rules.precision(Machine(2, 2**34, found, flag))) == expected


@pytest.mark.parametrize(
    ("train", "size", "on_gpu", "expected"),
    [
        (3, 48, False, (3, "from the data: 3 images are few")),
        (102, 48, False, (16, "from the data: 102 images are few")),
        (640, 48, False, (32, "from the data: 640 images are 20 steps an epoch")),
        (3000, 48, False, (64, "from the data: 3,000 images are 47 steps an epoch")),
        (90_000, 48, False, (64, "from the data: 90,000 images are 1,407 steps an epoch")),
        (3000, 48, True, (128, "from the data: 3,000 images are 24 steps an epoch")),
        (3000, 224, True, (64, "from the data: 3,000 images are 47 steps an epoch")),
    ],
)
def test_the_batch_leaves_an_epoch_twenty_steps(cpu, gpu, train, size, on_gpu, expected):
    assert said(time_rules.batch_size(train, size, gpu if on_gpu else cpu)) == expected


def test_a_limit_is_in_the_steps_that_the_batch_tells_of(cpu):
    batch = time_rules.batch_size(28_000, 48, cpu)
    limit = Choice(640, Origin.YOU)
    assert said(time_rules.limited(batch, limit)) == (
        64,
        "from the data: 640 images are 10 steps an epoch",
    )
    assert time_rules.limited(batch, None) == batch


@pytest.mark.parametrize(
    ("train", "expected"),
    [(100, 1), (2_000, 2), (8_000, 3), (20_000, 4)],
)
def test_more_images_allow_larger_networks(train, expected):
    assert len(time_rules.rungs(train)) == expected
    assert time_rules.rungs(train)[-1] == ("resnet10", 16)


def test_the_largest_network_of_which_forty_epochs_fit_is_taken():
    large, middle = (replace(SMALL, backbone="resnet18", width=width) for width in (64, 32))
    assert time_rules.network({large: 41.0, middle: 90.0, SMALL: 300.0}) == large
    assert time_rules.network({large: 5.0, middle: 40.0, SMALL: 300.0}) == middle
    assert time_rules.network({large: 1.0, middle: 2.0, SMALL: 3.0}) == SMALL


def test_the_network_says_whether_images_or_time_decided():
    large, budget = replace(SMALL, backbone="resnet18", width=64), Budget(900, 90, 64, 20)
    by_images = time_rules.network_choices(SMALL, SMALL, budget)
    assert said(by_images["model.backbone"]) == (
        "resnet10",
        "from the data: enough for 900 training images",
    )
    by_time = time_rules.network_choices(SMALL, large, budget)
    assert said(by_time["model.width"]) == (16, "you: the largest that fits into 20 minutes")
    nobody = time_rules.network_choices(SMALL, large, replace(budget, origin=Origin.DEFAULT))
    assert nobody["model.width"].origin is Origin.DEFAULT


@pytest.mark.parametrize(
    ("train", "minutes", "measured", "expected"),
    [
        # 640 images are 10 steps of a second; 30 seconds go on starting, a tenth is kept in hand.
        (640, 5, True, (24, "measured: 5 minutes at 1 s a step")),
        (640, 5, False, (24, "you: 5 minutes at 1 s a step (estimated)")),
        (640, 1, True, (10, "measured: 1 minute at 1 s a step")),
        (6400, 600, True, (60, "default: the paper's; the time would allow more")),
        (640, 600, True, (100, "from the data: an epoch has only 10 steps")),
        (64, 600, True, (120, "from the data: an epoch has only 1 step")),
    ],
)
def test_epochs_fill_the_time_up_to_a_bound(train, minutes, measured, expected):
    step = StepTime(1.0, 0.0, measured)
    assert said(time_rules.epochs(Budget(train, 0, 64, minutes), step)) == expected


def test_watching_the_validation_split_takes_its_time():
    step = StepTime(train=1.0, evaluation=0.5, measured=True)
    assert step.epoch_seconds(train=130, validation=65, batch=64) == 3 * 1.0 + 2 * 0.5


def test_training_is_limited_only_where_not_even_ten_epochs_fit():
    step = StepTime(1.0, 0.0, True)
    assert time_rules.train_limit(Budget(640, 0, 64, 5), step) is None
    limit = time_rules.train_limit(Budget(6400, 0, 64, 5), step)
    reason = "you: 10 epochs of all 6,400 take over 5 minutes"
    assert said(limit) == (64 * 24, reason)
    assert time_rules.train_limit(Budget(6400, 0, 64, 1), StepTime(99.0, 0, True)).value == 64


@pytest.mark.parametrize("epochs", [10, 40, 60, 120])
def test_the_learning_rate_ends_at_a_tenth(epochs):
    choice = time_rules.gamma(epochs)
    assert choice.value**epochs == pytest.approx(0.1, rel=0.07)
    assert choice.because == "default: ends at a tenth of the rate"


@pytest.mark.parametrize(
    ("train", "share"),
    [(100, 0.2), (1999, 0.2), (2000, 0.1)],
)
def test_validation_comes_out_of_train(train, share):
    reason = "from the data: there is no validation split; test stays unseen"
    assert said(validation_share(train)) == (share, reason)


@pytest.mark.parametrize(
    ("facts", "labels", "quality", "estimate", "expected"),
    [
        ({}, GIVEN, "clean", None, (0.0, "you: the labels are right")),
        ({}, GIVEN, "some", None, (0.1, "you: some labels are wrong")),
        ({}, GIVEN, "many", None, (0.3, "you: many labels are wrong")),
        ({}, GIVEN, "measure", None, (0.1, "default: not measured; taken as partly wrong")),
        (
            {},
            GIVEN,
            "measure",
            NoiseEstimate(0.31, 0.27, 0.35),
            (0.31, "measured: about 31% of the labels look wrong (27% to 35%)"),
        ),
        (
            {"label_sets": {"crowd": 0.368}},
            "crowd",
            "",
            None,
            (0.368, "from the data: 36.8% of crowd differ from the labels as given"),
        ),
        (
            {"wrong_share": 0.4, "clean_known": 9},
            GIVEN,
            "",
            None,
            (0.4, "from the data: 40.0% of the labels differ from the known true ones"),
        ),
    ],
)
def test_the_share_of_wrong_labels_is_known_by_data_measurement_or_answer(
    fingerprint, facts, labels, quality, estimate, expected
):
    wrong = label_rules.wrong_labels(fingerprint(**facts), labels, quality, estimate)
    assert (wrong.rate, Choice(0, wrong.origin, wrong.reason).because) == expected


def test_a_default_answer_is_not_put_down_to_the_user(fingerprint):
    wrong = label_rules.wrong_labels(fingerprint(), GIVEN, "some", None, Origin.DEFAULT)
    assert wrong.origin is Origin.DEFAULT


@pytest.mark.parametrize(("rate", "expected"), [(0.0, "cross_entropy"), (0.04, "cross_entropy")])
def test_right_labels_need_no_more_than_cross_entropy(rate, expected):
    choice = label_rules.method_name(WrongLabels(rate, Origin.YOU, "the labels are right"))
    assert said(choice) == (expected, "you: the labels are right")


def test_wrong_labels_call_for_eac():
    assert said(label_rules.method_name(SOME)) == ("eac", "you: some labels are wrong")


def test_advice_that_was_measured_is_followed():
    estimate = NoiseEstimate(
        0.01,
        0.0,
        0.02,
        method="eac",
        settings={"method.consistency_weight": 2.0, "method.consistency_ramp": 30},
    )
    wrong = WrongLabels(0.01, Origin.MEASURED, "about 1%", estimate)
    assert said(label_rules.method_name(wrong)) == ("eac", "measured: about 1%")
    settings = label_rules.method_settings("eac", 40, wrong, FIVE)
    weight = settings["method.consistency_weight"]
    assert said(weight) == (2.0, "measured: advised for this share")
    assert settings["method.consistency_ramp"].value == 8  # the plan's own: it knows the epochs


@pytest.mark.parametrize(("epochs", "ramp"), [(10, 2), (40, 8), (120, 8)])
def test_eac_from_random_weights_ramps_up(epochs, ramp):
    settings = label_rules.method_settings("eac", epochs, SOME, FIVE)
    assert said(settings["method.consistency_ramp"]) == (
        ramp,
        "default: from random weights, features must form first",
    )
    assert settings["method.consistency_weight"].value == 5.0


def test_cross_entropy_has_no_settings_of_eac():
    settings = label_rules.method_settings("cross_entropy", 40, SOME, FIVE)
    assert set(settings) == {f"method.erase.{key}" for key in ("probability", "area", "aspect")}


@pytest.mark.parametrize(
    ("rule", "because"),
    [
        ("argmax", "default: the most voted class"),
        ("majority", "you: --vote-rule"),
    ],
)
def test_the_vote_rule_is_told(rule, because):
    assert said(label_rules.vote_rule(rule)) == (rule, because)


def test_another_label_set_is_human_noise():
    assert label_rules.noise(GIVEN)["noise.kind"].value == "none"
    keys = label_rules.noise("crowd")
    assert (keys["noise.kind"].value, keys["noise.labels"].value) == ("human", "crowd")


def test_operations_agree_with_the_known_networks():
    # ResNet-18 with 7 classes, two operations a multiply-add.
    assert Network("resnet18", "imagenet", 64, 224, 3).operations == pytest.approx(3.63e9, rel=0.01)
    assert Network("resnet18", "imagenet", 64, 64, 3).operations == pytest.approx(0.296e9, rel=0.01)


def test_a_measurement_corrects_the_estimates_of_other_networks(cpu):
    other = replace(SMALL, width=32)
    settings = {"batch": 64, "views": 2, "precision": "float32"}
    pace = Pace(cpu)
    guess, before = pace.step(SMALL, **settings), pace.step(other, **settings)
    wiser = pace.with_measured(SMALL, StepTime(3 * guess.train, 1.0, True), guess)
    assert wiser.step(SMALL, **settings) == StepTime(3 * guess.train, 1.0, True)
    assert wiser.step(other, **settings).train == pytest.approx(3 * before.train)
    assert not wiser.step(other, **settings).measured


def test_a_second_view_and_less_of_a_machine_cost_time(cpu, gpu):
    settings = {"batch": 64, "precision": "float32"}
    one, two = (estimate_step(SMALL, cpu, views=views, **settings).train for views in (1, 2))
    assert two > one > estimate_step(SMALL, gpu, views=1, **settings).train


def plan_of(fingerprint, machine, minutes=30, wrong=SOME, **answers):
    asked = Answers(labels=GIVEN, minutes=minutes, data="/data/faces.h5", **answers)
    return make_plan(fingerprint, asked, wrong, Pace(machine))


def test_a_plan_is_a_whole_recipe(fingerprint, cpu):
    plan = plan_of(fingerprint(splits={"train": 3000, "test": 300}), cpu)
    assert plan.value("data.path") == "/data/faces.h5"
    assert plan.value("data.validation_fraction") == 0.1
    assert plan.value("model.backbone") == "resnet10"
    assert plan.value("method.name") == "eac"
    assert plan.views == 2
    assert plan.seconds <= 30 * 60
    assert all(isinstance(choice.origin, Origin) for choice in plan.choices.values())


def test_no_share_is_held_out_where_there_is_a_validation_split(fingerprint, cpu):
    assert "data.validation_fraction" not in plan_of(fingerprint(), cpu).choices


def test_no_share_is_held_out_where_packing_does_it(fingerprint, cpu):
    plan = plan_of(fingerprint(splits={"train": 900}), cpu, held_out=True)
    assert "data.validation_fraction" not in plan.choices


def test_unpacked_images_are_named_as_they_are(fingerprint, cpu):
    assert plan_of(fingerprint(), cpu, packed=False).value("data.source") == "images"


def test_more_time_buys_a_larger_network(fingerprint, cpu):
    faces = fingerprint(splits={"train": 25_000, "validation": 2_500})
    hour, week = (plan_of(faces, cpu, minutes) for minutes in (60, 7 * 24 * 60))
    assert (hour.network.backbone, hour.network.width) == ("resnet10", 16)
    assert (week.network.backbone, week.network.width) == ("resnet18", 64)
    assert hour.seconds <= 3600


def test_too_little_time_limits_the_images_and_keeps_to_the_time(fingerprint, cpu):
    plan = plan_of(fingerprint(splits={"train": 90_000, "validation": 900}), cpu, minutes=10)
    assert plan.value("train.epochs") == 10
    assert plan.value("data.train_limit") < 90_000
    assert plan.seconds <= 10 * 60


def test_the_usual_time_is_some_forty_epochs(fingerprint, cpu, gpu):
    small, large = fingerprint(splits={"train": 200}), fingerprint(splits={"train": 30_000})
    assert said(usual_minutes(small, Pace(cpu))) == (
        5,
        "from the data: about 40 epochs of resnet10",
    )
    assert usual_minutes(large, Pace(cpu)).value > usual_minutes(large, Pace(gpu)).value


def test_the_size_of_the_packed_file_is_that_of_the_images_trained_on(fingerprint, cpu):
    faces = fingerprint(splits={"train": 100}, side=500, grey_share=0.0)
    assert packed_bytes(faces, cpu) == 100 * 64 * 64 * 3


def test_uneven_classes_are_looked_after_and_it_is_shown(fingerprint, cpu, capsys):
    from eactf.wizard.showing import show_plan

    plan = plan_of(fingerprint(imbalance=20.0), cpu)
    assert (plan.value("data.balance"), plan.value("method.consistency_weight")) == ("sqrt", 2.0)
    show_plan(plan, {}, {})
    told = " ".join(capsys.readouterr().out.split())
    assert "rare ones more often, late from the data: the largest class is 20.0 times" in told

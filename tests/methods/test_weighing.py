"""The loss of every method, weighted and adjusted, against NumPy with numerical gradients.

The classifier is a 3 x 3 convolution, a rectifier, pooling and a dense layer, all derived here in
float64.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import eactf

RATE, WEIGHT, LABELS = 0.25, 3.0, np.array([0, 2, 1, 2, 0])
IDS = np.array([5, 11, 2, 8, 90])
EQUAL, UNEQUAL = np.ones(5), np.array([0.5, 3.0, 0.0, 1.25, 2.0])
WHOLE = eactf.Erasing(probability=0.0)


def convolve(images, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
    return np.einsum("nhwcyx,yxco->nhwo", windows, kernel)


def maps_of(images, kernel, bias):
    return np.maximum(convolve((images.astype("float64") - 100) / 50, kernel) + bias, 0)


def cross_entropies(logits, labels):
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -logs[np.arange(len(labels)), labels]


def weighted(values, weights):
    return (weights * values).sum() / weights.sum()


def distance(maps, mirrored, kernel):
    return np.mean((maps @ kernel - (mirrored @ kernel)[:, :, ::-1]) ** 2)


def normalized(x, gamma=1.0, beta=0.0):
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + 2e-5) * gamma + beta


class Case:
    """One method: how it is built, its weights that are looked at, its loss in NumPy."""

    method: type
    settings: dict

    def __init__(self, **settings):
        self.settings = {**self.settings, **settings}

    def build(self, classifier, **settings):
        model = self.method(classifier, **{**self.settings, **settings})
        model.compile(optimizer=eactf.optimizers.SGD(RATE), run_eagerly=True)
        return model

    def variables(self, model):
        return model.trainable_variables

    def step(self, model, columns):
        return model.train_step(columns)

    def prepare(self, model, data):
        self.frozen = model.head.kernel.numpy().astype("float64")


class CrossEntropy(Case):
    method, settings = eactf.CrossEntropy, {"erasing": WHOLE, "flip_probability": 0.0}

    def loss(self, images, weights, offset, conv, bias, kernel, base):
        logits = maps_of(images, conv, bias).mean(axis=(1, 2)) @ kernel + base
        return weighted(cross_entropies(logits + offset, LABELS), weights)


class Consistency(Case):
    """EAC and attention consistency: the views classified are the first ones of two."""

    def loss(self, images, weights, offset, conv, bias, kernel, base):
        views = [maps_of(view, conv, bias) for view in (images, images[:, :, ::-1])]
        losses = []
        for view in views[: self.classified]:
            logits = view.mean(axis=(1, 2)) @ kernel + base
            losses.append(weighted(cross_entropies(logits + offset, LABELS), weights))
        return np.mean(losses) + WEIGHT * distance(*views, self.frozen)


class Eac(Consistency):
    method, settings = eactf.EAC, {"consistency_weight": WEIGHT, "erasing": WHOLE}

    @property
    def classified(self):
        return 2 if self.settings.get("classify") == "both" else 1


class AttentionConsistency(Consistency):
    method, settings, classified = (
        eactf.AttentionConsistency,
        {"consistency_weight": WEIGHT, "batch_views": False},
        2,
    )


class Scn(Case):
    method = eactf.SCN
    settings = CrossEntropy.settings | {"relabel_epoch": None, "rank_margin": 0.4}

    def variables(self, model):
        return [*model.classifier.trainable_variables, *model.importance_head.variables]

    def loss(self, images, weights, offset, conv, bias, kernel, base, column, start):
        pooled = maps_of(images, conv, bias).mean(axis=(1, 2))
        importance = 1 / (1 + np.exp(-(pooled @ column + start)))[:, 0]
        logits = importance[:, None] * (pooled @ kernel + base)
        ordered = np.sort(importance)[::-1]
        rank = max(0.0, ordered[3:].mean() - ordered[:3].mean() + 0.4)  # int(5 * 0.7) are high
        return weighted(cross_entropies(logits + offset, LABELS), weights) + rank


class Rul(Case):
    method = eactf.RUL
    settings = CrossEntropy.settings | {"dropout": 0.0, "embedding": 4, "head_rate": 1.0}

    def variables(self, model):
        def of(branch):
            return [*branch.dense.variables, branch.normalize.gamma, branch.normalize.beta]

        branches = (model.features_branch, model.uncertainty_branch)
        return [
            *model.network.trainable_variables,
            *model.head.trainable_variables,
            *(variable for branch in branches for variable in of(branch)),
        ]

    def prepare(self, model, data):
        batch = model.unpack(data)
        self.permutation = np.argsort(model.views_of(batch, model.drawn)[1].numpy())
        assert (self.permutation != np.arange(5)).any()

    def loss(self, images, weights, offset, conv, bias, kernel, base, *branches):
        flat = normalized(maps_of(images, conv, bias)).reshape(5, -1)
        mu, log_variance = (
            normalized(flat @ dense + start, gamma, beta)
            for dense, start, gamma, beta in (branches[:4], branches[4:])
        )
        other, uncertainty = self.permutation, np.exp(log_variance).mean(axis=1)
        part = (uncertainty / (uncertainty + uncertainty[other]))[:, None]
        logits = (part * mu + (1 - part) * mu[other]) @ kernel + base + offset
        own = weighted(cross_entropies(logits, LABELS), weights)
        return (own + weighted(cross_entropies(logits, LABELS[other]), weights[other])) / 2


class CoTeaching(Case):
    method, settings = eactf.CoTeaching, {"forget_rate": 0.4, "gradual": 0, "seed": 1}

    def build(self, classifier, **settings):
        model = super().build(classifier, **settings)
        for optimizer in model.optimizers:
            # The loss that is told is the mean of two; each network goes down its own.
            optimizer.learning_rate = RATE / 2
        return model

    def loss(self, images, weights, offset, *both):
        values = []
        for conv, bias, kernel, base in (both[:4], both[4:]):
            logits = maps_of(images, conv, bias).mean(axis=(1, 2)) @ kernel + base
            values.append(cross_entropies(logits + offset, LABELS))
        kept = [np.argsort(own)[:3] for own in values]
        assert set(kept[0]) != set(kept[1])
        pairs = zip(values, kept[::-1], strict=True)
        return np.mean([weighted(own[rows], weights[rows]) for own, rows in pairs])


class WarmUp(CrossEntropy):
    """The first network's, on all labels."""

    method, settings = eactf.DivideMix, {"flip_probability": 0.0}

    def variables(self, model):
        return model.networks[0].trainable_variables


class Kept(WarmUp):
    """The report's: labels that are kept, and a penalty that looks at none."""

    method = eactf.TwoNetworks

    def step(self, model, columns):
        none = columns[0][:0], columns[2][:0]
        return model.train_step((columns, tf.ones(5), none))

    def loss(self, images, weights, offset, *network):
        conv, bias, kernel, base = network
        logits = maps_of(images, conv, bias).mean(axis=(1, 2)) @ kernel + base
        powers = np.exp(logits)
        mean = (powers / powers.sum(axis=1, keepdims=True)).mean(axis=0)
        return super().loss(images, weights, offset, *network) + np.log(1 / 3 / mean).mean()


LABELLED_ALONE = {
    "augmentation": eactf.Views(),
    "flip_probability": 0.0,
    "dropout": 0.0,
    "normalized": False,
    "shrink": 0.0,
    "labelled_weight": 1.0,
    "unlabelled_weight": 0.0,
    "low_confidence": "none",
    "strong_operations": 0,
}


class Labelled(CrossEntropy):
    """Ada-CM's labelled images; the others weigh nothing here."""

    method, settings = eactf.AdaCM, LABELLED_ALONE

    def variables(self, model):
        return model.trained_classifier.trainable_variables

    def step(self, model, columns):
        return model.train_step((columns, tf.ones(5), (columns[0], columns[2])))


CASES = {
    "cross-entropy": CrossEntropy(),
    "eac": Eac(),
    "eac-both": Eac(classify="both"),
    "attention-consistency": AttentionConsistency(),
    "scn": Scn(),
    "rul": Rul(),
    "co-teaching": CoTeaching(),
    "dividemix": WarmUp(),
    "two-networks": Kept(),
    "ada-cm": Labelled(),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def gradients(loss, parameters, step=1e-5):
    """The slopes of a loss of arrays, by central differences, at up to 12 places of each."""
    for index, parameter in enumerate(parameters):
        places = list(np.ndindex(parameter.shape))
        for place in places[:: max(1, len(places) // 12)]:
            values = []
            for sign in (1, -1):
                moved = [array.copy() for array in parameters]
                moved[index][place] += sign * step
                values.append(loss(moved))
            yield index, place, (values[0] - values[1]) / (2 * step)


def check_step(model, case, images, columns, weights, offset=0.0):
    """Take a step and hold its loss and its moves against NumPy's."""
    case.prepare(model, columns)
    variables = case.variables(model)
    before = [variable.numpy().astype("float64") for variable in variables]

    def loss(parameters):
        return case.loss(images, weights, offset, *parameters)

    expected = loss(before)
    slopes = list(gradients(loss, before))
    logs = case.step(model, columns)
    assert float(logs["loss"]) == pytest.approx(expected, rel=1e-4)
    after = [variable.numpy() for variable in variables]
    for index, place, slope in slopes:
        moved = (before[index][place] - after[index][place]) / RATE
        assert moved == pytest.approx(slope, abs=5e-5, rel=1e-3), variables[index].path
    assert max(abs(slope) for _, _, slope in slopes) > 0.01


def columns_of(images, *more):
    return tuple(tf.constant(column) for column in (images, LABELS, IDS, *more))


@every_case
@pytest.mark.parametrize("weights", [None, UNEQUAL], ids=["without", "with"])
def test_a_step_is_that_of_the_weighted_mean_of_cross_entropy(
    tiny_classifier, faces, case, weights
):
    images, _ = faces(5)
    model = case.build(tiny_classifier(norm=False))
    more = () if weights is None else (weights,)
    used = EQUAL if weights is None else weights
    check_step(model, case, images, columns_of(images, *more), used)


@every_case
def test_the_weight_of_a_class_is_that_of_all_its_samples(tiny_classifier, faces, case):
    images, _ = faces(5)
    model = case.build(tiny_classifier(norm=False))
    model._weigh_classes({0: 0.5, 2: 4.0})
    of_classes = np.array([0.5, 1.0, 4.0])
    columns = columns_of(images, UNEQUAL)
    check_step(model, case, images, columns, UNEQUAL * of_classes[LABELS])


@every_case
def test_the_prior_is_added_to_the_logits_that_are_classified(tiny_classifier, faces, case):
    images, _ = faces(5)
    counts = (60, 30, 10)
    model = case.build(tiny_classifier(norm=False), prior_adjustment=1.5, class_prior=counts)
    offset = 1.5 * np.log(np.array(counts) / 100)
    check_step(model, case, images, columns_of(images, UNEQUAL), UNEQUAL, offset)


@every_case
def test_equal_weights_are_no_weights_to_the_last_bit(tiny_classifier, faces, case):
    images, _ = faces(5)
    ends = []
    for more in ((), (np.ones(5, "float32"),), (np.ones(5, "int64"),)):
        model = case.build(tiny_classifier(norm=False))
        logs = case.step(model, columns_of(images, *more))
        ends.append([float(logs["loss"]), *(v.numpy() for v in case.variables(model))])
    for other in ends[1:]:
        for one, same in zip(ends[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_of_a_second_view_that_part_of_the_batch_has_the_weights_are_the_batchs(
    tiny_classifier, faces
):
    images, _ = faces(5)
    model = eactf.EAC(
        tiny_classifier(norm=False), 0.0, classify="both", consistency_share=0.6, erasing=WHOLE
    )
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    columns = columns_of(images, UNEQUAL)
    batch = model.unpack(columns)
    part = model.views_of(batch, model.compared_part).numpy()
    logits = [model(view).numpy() for view in (images, images[:, :, ::-1])]
    first, second = (cross_entropies(z.astype("float64"), LABELS) for z in logits)
    scaled = UNEQUAL / UNEQUAL.mean()
    expected = ((scaled * first).mean() + (scaled * second)[part].mean()) / 2
    assert float(model.train_step(columns)["loss"]) == pytest.approx(expected, rel=1e-5)

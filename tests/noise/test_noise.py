"""Label noise: rates, what a draw may depend on, and the record that is kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eactf.errors import DataError, UsageError
from eactf.noise import (
    RAF_CLASSES,
    NoiseManifest,
    apply_noise,
    draw_noise,
    noise_matrix,
    read_noise_file,
    realised_rate,
    write_noise_file,
)
from eactf.packed.records import Samples

CLASSES = 7
COUNT = 20_000
IDS = np.arange(COUNT)
LABELS = IDS * 31 % CLASSES
PINNED = [3, 0, 1, 0, 1, 2, 2, 0, 2, 0, 6, 0]
MATRIX = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.3, 0.3, 0.4]])


def draw(kind="symmetric", labels=LABELS, ids=IDS, classes=CLASSES, **settings):
    return draw_noise(labels, ids, classes, kind=kind, **settings)


def within(share, probability, count, deviations=4):
    """Whether a share of `count` lies within so many binomial standard deviations."""
    return abs(share - probability) <= deviations * np.sqrt(probability * (1 - probability) / count)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.3, 0.8])
@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_bernoulli_noise_has_about_the_requested_rate(kind, rate):
    assert within(realised_rate(draw(kind, rate=rate, seed=3), LABELS), rate, COUNT)


def test_symmetric_noise_spreads_evenly_over_the_other_classes():
    noisy = draw(rate=0.5, seed=1)
    counts = np.bincount((noisy - LABELS)[noisy != LABELS] % CLASSES, minlength=CLASSES)
    assert counts[0] == 0
    expected = counts.sum() / (CLASSES - 1)
    # 5 degrees of freedom: above 20.5 once in a thousand
    assert ((counts[1:] - expected) ** 2 / expected).sum() < 20.5


def test_with_the_true_class_included_fewer_labels_differ():
    noisy = draw(rate=0.5, include_true=True, seed=1)
    assert within(realised_rate(noisy, LABELS), 0.5 * (CLASSES - 1) / CLASSES, COUNT)


def test_pair_noise_goes_to_the_next_class_and_from_the_last_to_the_first():
    noisy = draw("pair", rate=0.4)
    changed = noisy != LABELS
    np.testing.assert_array_equal(noisy[changed], (LABELS[changed] + 1) % CLASSES)
    assert set(noisy[changed & (LABELS == CLASSES - 1)]) == {0}


@pytest.mark.parametrize("rate", [0.0, 0.123456, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_an_exact_count_is_exact(kind, rate):
    noisy = draw(kind, rate=rate, count="exact", seed=5)
    assert (noisy != LABELS).sum() == round(rate * COUNT)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "symmetric", "rate": 0.3},
        {"kind": "symmetric", "rate": 0.3, "include_true": True},
        {"kind": "pair", "rate": 0.3},
        {"kind": "matrix", "matrix": MATRIX},
    ],
)
def test_a_draw_depends_on_seed_and_id_only(settings):
    labels = LABELS % 3
    whole = draw(labels=labels, classes=3, seed=11, **settings)
    some = np.random.default_rng(0).permutation(COUNT)[:500]
    part = draw(labels=labels[some], ids=IDS[some], classes=3, seed=11, **settings)
    np.testing.assert_array_equal(part, whole[some])


def test_an_exact_count_does_not_depend_on_the_order():
    order = np.random.default_rng(0).permutation(COUNT)
    whole = draw(rate=0.3, count="exact", seed=2)
    mixed = draw(labels=LABELS[order], ids=IDS[order], rate=0.3, count="exact", seed=2)
    np.testing.assert_array_equal(mixed, whole[order])


@pytest.mark.parametrize("count", ["bernoulli", "exact"])
def test_another_seed_gives_independent_noise(count):
    one, two = (draw(rate=0.3, count=count, seed=seed) != LABELS for seed in (0, 1))
    assert within((one & two).mean(), 0.09, COUNT)


@pytest.mark.parametrize("count", ["bernoulli", "exact"])
def test_a_higher_rate_keeps_the_changes_of_a_lower_one(count):
    low, high = (draw(rate=rate, count=count, seed=4) for rate in (0.1, 0.3))
    changed = low != LABELS
    np.testing.assert_array_equal(high[changed], low[changed])


def test_noise_from_a_matrix_has_the_matrix_as_its_shares():
    labels = LABELS % 3
    noisy = draw("matrix", labels=labels, classes=3, matrix=MATRIX, seed=8)
    for given in range(3):
        here = noisy[labels == given]
        for other in range(3):
            share = (here == other).mean()
            assert within(share, MATRIX[given, other], len(here)), (given, other)


def test_a_matrix_is_tempered_to_a_mean_rate_over_the_classes():
    tempered = noise_matrix(MATRIX, 3, 0.15)
    assert np.mean(1 - np.diag(tempered)) == pytest.approx(0.15)
    np.testing.assert_allclose(tempered.sum(axis=1), 1)
    np.testing.assert_allclose(tempered, 0.5 * np.eye(3) + 0.5 * MATRIX)
    np.testing.assert_array_equal(noise_matrix(MATRIX, 3, 0), np.eye(3))


def test_no_rate_no_noise():
    np.testing.assert_array_equal(draw(rate=0.0), LABELS)


def test_the_draws_are_pinned_for_ever():
    noisy = draw_noise(np.zeros(12, int), np.arange(12), 7, kind="symmetric", rate=0.5, seed=0)
    assert noisy.tolist() == PINNED


def test_the_preset_of_the_paper_is_what_its_authors_did():
    from eactf.recipe.schema import PRESETS

    assert PRESETS["paper-eac"] == {
        "kind": "symmetric",
        "count": "bernoulli",
        "include_true": False,
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": 20}, "expected 0 <= rate <= 1"),
        ({"rate": -0.1}, "expected 0 <= rate <= 1"),
        ({"rate": float("nan")}, "expected 0 <= rate <= 1"),
        ({}, "needs a rate"),
        ({"rate": 0.1, "count": "some"}, "expected bernoulli or exact"),
        ({"kind": "pair", "rate": 0.1, "include_true": True}, "symmetric noise only"),
        ({"kind": "human", "rate": 0.1}, "cannot draw noise of kind 'human'"),
        ({"kind": "matrix"}, "needs a matrix"),
        ({"kind": "matrix", "matrix": MATRIX}, r"expected shape \(7, 7\)"),
        ({"kind": "matrix", "matrix": MATRIX, "count": "exact"}, "no meaning"),
        ({"rate": 0.1, "matrix": MATRIX}, "takes no matrix"),
        ({"rate": 0.1, "classes": 1}, "at least 2 classes"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        draw(**settings)


@pytest.mark.parametrize("matrix", [np.eye(3) * 0.9, np.eye(3) * np.nan, MATRIX - 0.1])
def test_a_matrix_that_is_not_row_stochastic_is_refused(matrix):
    with pytest.raises(UsageError, match="rows of probabilities"):
        noise_matrix(matrix, 3)


def test_a_matrix_cannot_be_tempered_beyond_its_strongest_class():
    with pytest.raises(UsageError, match=r"cannot be tempered to a rate of 0\.6"):
        noise_matrix(MATRIX, 3, 0.6)
    with pytest.raises(UsageError, match="cannot be tempered"):
        noise_matrix(np.eye(3), 3, 0.1)


def test_labels_out_of_range_are_refused():
    with pytest.raises(DataError, match="expected 0 to 6, received 0 to 7"):
        draw(labels=np.array([0, 7]), ids=np.array([1, 2]), rate=0.1)


# ---- records -----------------------------------------------------------------------------------

NAMES = tuple("abc")


def make_samples(count=60, **more):
    given = np.arange(count) % 3
    images = np.zeros((count, 2, 2, 1), np.uint8)
    return Samples(images=images, ids=np.arange(count) + 100, given=given, **more)


def test_applying_noise_keeps_the_old_labels_as_clean_ones():
    samples = make_samples(targets=np.full((60, 3), 1 / 3, np.float32))
    noisy, manifest = apply_noise(samples, NAMES, kind="symmetric", rate=0.5, seed=1)
    np.testing.assert_array_equal(noisy.clean, samples.given)
    np.testing.assert_array_equal(manifest.given, noisy.given)
    np.testing.assert_array_equal(manifest.ids, samples.ids)
    assert manifest.requested == 0.5
    assert manifest.realised == (noisy.given != samples.given).mean() > 0.2
    assert noisy.targets is None


def test_labels_that_are_known_to_be_clean_stay_so():
    clean = np.full(60, 2)
    noisy, manifest = apply_noise(make_samples(clean=clean), NAMES, kind="pair", rate=1.0)
    np.testing.assert_array_equal(noisy.clean, clean)
    assert manifest.realised == pytest.approx(2 / 3)


def test_human_labels_replace_the_given_ones_and_samples_without_one_go():
    human = (np.arange(60) + 1) % 3
    human[:5] = -1
    samples = make_samples(labels={"fer2013": human})
    noisy, manifest = apply_noise(samples, NAMES, kind="human", labels_name="fer2013")
    assert (len(noisy), manifest.dropped, manifest.realised) == (55, 5, 1.0)
    np.testing.assert_array_equal(noisy.given, human[5:])
    np.testing.assert_array_equal(noisy.clean, samples.given[5:])
    assert manifest.requested is None


def test_a_label_set_that_is_not_there_is_named_with_those_that_are():
    samples = make_samples(labels={"fer2013": np.zeros(60, int)})
    with pytest.raises(DataError, match=r"(?s)no label set 'fer'.*fer2013"):
        apply_noise(samples, NAMES, kind="human", labels_name="fer")


def test_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="expected one of symmetric, pair"):
        apply_noise(make_samples(), NAMES, kind="uniform", rate=0.1)


def test_human_noise_takes_no_rate():
    samples = make_samples(labels={"x": np.zeros(60, int)})
    with pytest.raises(UsageError, match="it has no rate"):
        apply_noise(samples, NAMES, kind="human", labels_name="x", rate=0.1)


def raf_samples():
    names = [f"train/train_{number:05d}_aligned.jpg" for number in range(4)]
    return make_samples(4, names=np.array(names))


def test_a_label_file_is_matched_by_name_and_mapped_by_class(tmp_path):
    path = tmp_path / "noise01.txt"
    lines = ["train_00001.jpg 7", "train_00000.jpg 1", "train_00003.jpg 4", "train_00002.jpg 7"]
    path.write_text("\n".join([*lines, "test_0001.jpg 2"]) + "\n")
    class_names = ("neutral", *RAF_CLASSES[:-1])
    noisy, manifest = apply_noise(
        raf_samples(), class_names, kind="file", path=path, file_classes=RAF_CLASSES, most_wrong=1
    )
    assert noisy.given.tolist() == [1, 0, 0, 4]
    assert manifest.clean.tolist() == [0, 1, 2, 0]
    assert manifest.kind == "file"


def test_a_label_file_that_matches_in_part_says_how_many(tmp_path):
    write_noise_file(tmp_path / "n.txt", ["train_00001.jpg", "train_00002.jpg"], np.array([0, 1]))
    message = "matches 2 of 4 samples .2 names in the file.; .* 'train_00000'"
    with pytest.raises(DataError, match=message):
        apply_noise(raf_samples(), RAF_CLASSES, kind="file", path=tmp_path / "n.txt")


def three_class_file(tmp_path, lines):
    (tmp_path / "n.txt").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path / "n.txt"


@pytest.mark.parametrize("form", ["{} {}", "{},{}", "{}\t{}", "{}, {}", '"{}";"{}"'])
@pytest.mark.parametrize("base", [0, 1])
def test_a_label_file_counts_by_the_datas_own_classes_whatever_separates(tmp_path, form, base):
    labels = [0, 1, 2, 2]
    lines = [form.format(f"train_{n:05d}.jpg", label + base) for n, label in enumerate(labels)]
    path = three_class_file(tmp_path, lines)
    noisy, _ = apply_noise(raf_samples(), NAMES, kind="file", path=path, most_wrong=0.6)
    assert noisy.given.tolist() == labels


def test_a_label_file_may_have_a_header_and_the_names_of_the_classes(tmp_path):
    names = [f"train_{n:05d}.jpg,{NAMES[n % 3]}" for n in range(4)]
    path = three_class_file(tmp_path, ["image,label", *names])
    assert apply_noise(raf_samples(), NAMES, kind="file", path=path)[0].given.tolist() == [
        0,
        1,
        2,
        0,
    ]


def test_a_label_file_may_name_images_by_their_paths(tmp_path):
    samples = make_samples(2, names=np.array(["a/1.png", "b/1.png"]))
    path = three_class_file(tmp_path, ["b/1.png 2", "a/1.png 1"])
    assert apply_noise(samples, NAMES, kind="file", path=path)[0].given.tolist() == [0, 1]
    path = three_class_file(tmp_path, ["b/1.jpg 2", "a/1.jpg 1"])
    with pytest.raises(DataError, match="more than one label") as caught:
        apply_noise(samples, NAMES, kind="file", path=path)
    assert caught.value.hint


def test_a_label_file_of_any_number_of_classes_is_read(tmp_path):
    classes = [f"class {number}" for number in range(12)]
    labels = np.arange(24) % 12
    samples = Samples(
        np.zeros((24, 1, 1, 1), np.uint8),
        np.arange(24),
        labels,
        names=np.array([f"{n}.png" for n in range(24)]),
    )
    path = three_class_file(tmp_path, [f"{n}.png {labels[n] + 1}" for n in range(24)])
    noisy, manifest = apply_noise(samples, classes, kind="file", path=path)
    assert noisy.given.tolist() == labels.tolist() and manifest.realised == 0


def test_a_label_file_numbered_otherwise_is_refused_and_the_right_order_told(tmp_path):
    class_names = ("neutral", *RAF_CLASSES[:-1])
    samples = make_samples(7, names=np.array([f"{n}.png" for n in range(7)]))
    samples = replace(samples, given=np.arange(7), clean=None)
    lines = [f"{n}.png {RAF_CLASSES.index(class_names[n]) + 1}" for n in range(7)]
    path = three_class_file(tmp_path, lines)
    with pytest.raises(DataError, match=r"100\.0% of its labels differ") as caught:
        apply_noise(samples, class_names, kind="file", path=path)
    assert "in RAF-DB's order only 0.0%" in caught.value.hint
    assert f"noise.classes=[{', '.join(RAF_CLASSES)}]" in caught.value.hint
    noisy, _ = apply_noise(samples, class_names, kind="file", path=path, file_classes=RAF_CLASSES)
    assert noisy.given.tolist() == list(range(7))
    assert apply_noise(samples, class_names, kind="file", path=path, most_wrong=1)[1].realised == 1


def test_a_label_file_of_other_classes_asks_for_their_order(tmp_path):
    names = [f"train_{number:05d}.jpg" for number in range(4)]
    write_noise_file(tmp_path / "n.txt", names, np.array([2, 1, 0, 0]))
    settings = {"kind": "file", "path": tmp_path / "n.txt"}
    with pytest.raises(DataError, match="'surprise' is not a class of the data"):
        apply_noise(raf_samples(), NAMES, file_classes=RAF_CLASSES, **settings)
    reverse = NAMES[::-1]
    noisy, _ = apply_noise(raf_samples(), NAMES, file_classes=reverse, **settings)
    assert noisy.given.tolist() == [0, 1, 2, 2]


def test_samples_without_names_cannot_take_a_label_file(tmp_path):
    with pytest.raises(DataError, match="the samples have no names"):
        apply_noise(make_samples(), RAF_CLASSES, kind="file", path=tmp_path / "n.txt")


@pytest.mark.parametrize("base", [0, 1])
def test_a_label_file_is_read_as_it_was_written(tmp_path, base):
    path = tmp_path / "noise.txt"
    names, labels = ["train_00001.jpg", "with a space.png"], np.array([6, 0])
    write_noise_file(path, names, labels, base=base)
    assert path.read_text() == f"train_00001.jpg {6 + base}\nwith a space.png {base}\n"
    back = read_noise_file(path, base=base)
    assert back.names.tolist() == names
    assert back.labels.tolist() == labels.tolist()
    assert [entry.name for entry in tmp_path.iterdir()] == ["noise.txt"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00002.jpg 8", "line 2: expected a label 1 to 7, received '8'"),
        ("train_00002.jpg 0", "line 2: expected a label 1 to 7, received '0'"),
        ("train_00002.jpg x", "line 2: expected a label 1 to 7, received 'x'"),
        ("train_00002.jpg  3", "line 2: expected one line an image"),
        ("train_00002.jpg", "line 2: expected one line an image"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path, line, message):
    path = tmp_path / "noise.txt"
    path.write_text(f"train_00001.jpg 1\n{line}\n")
    with pytest.raises(DataError, match=message):
        read_noise_file(path)


def test_two_labels_for_one_name_are_refused(tmp_path):
    path = tmp_path / "noise.txt"
    path.write_text("a.jpg 1\na_aligned.jpg 2\n")
    with pytest.raises(DataError, match="more than one label"):
        read_noise_file(path).by_stem(Path(path))


def test_an_empty_or_missing_label_file_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="has no labels"):
        read_noise_file(tmp_path / "empty.txt")
    with pytest.raises(UsageError, match="does not exist"):
        read_noise_file(tmp_path / "none.txt")


def test_the_manifest_is_written_with_names_in_the_order_of_the_ids(tmp_path):
    manifest = NoiseManifest(
        ("cat", "dog, wild"), np.array([7, 3]), np.array([1, 0]), np.array([0, -1])
    )
    digest = manifest.write_csv(tmp_path / "labels.csv")
    content = (tmp_path / "labels.csv").read_bytes()
    assert content == (
        b'id,given,clean,given_name,clean_name\n3,0,-1,cat,\n7,1,0,"dog, wild",cat\n'
    )
    assert digest == manifest.sha256 == hashlib.sha256(content).hexdigest()


def test_the_manifests_hash_does_not_depend_on_the_order_but_on_the_labels():
    samples = make_samples()
    order = np.random.default_rng(0).permutation(60)
    settings = {"kind": "symmetric", "rate": 0.5}
    hashes = [
        apply_noise(some, NAMES, seed=seed, **settings)[1].sha256
        for some, seed in [(samples, 0), (samples.take(order), 0), (samples, 1)]
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_manifest_is_read_back(tmp_path):
    _, manifest = apply_noise(make_samples(), NAMES, kind="pair", rate=0.3)
    manifest.write_csv(tmp_path / "labels.csv")
    back = NoiseManifest.read_csv(tmp_path / "labels.csv", NAMES)
    assert back.sha256 == manifest.sha256
    assert back.realised == manifest.realised


def test_a_manifest_of_other_classes_is_refused_with_its_line(tmp_path):
    _, manifest = apply_noise(make_samples(), NAMES, kind="pair", rate=0.3)
    manifest.write_csv(tmp_path / "labels.csv")
    with pytest.raises(DataError, match="line 2: expected id,given,clean"):
        NoiseManifest.read_csv(tmp_path / "labels.csv", ("x", "y", "z"))


def test_the_rate_of_samples_without_clean_labels_is_not_a_number():
    assert np.isnan(realised_rate(np.array([1]), np.array([-1])))

"""Each fault is found, named with its files, given its weight, and told how to mend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eactf.intake.checks import check
from eactf.intake.decode import FileImages
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.scan import BadRow, scan

TRAIN, VALIDATION, TEST = range(3)
PER_CLASS = (30, 10, 15)  # of two classes, in the three splits


@pytest.fixture(scope="module")
def healthy():
    """A data set with nothing wrong: two classes, three splits, images of noise."""
    splits = np.repeat([TRAIN, VALIDATION, TEST], [2 * count for count in PER_CLASS])
    given = np.concatenate([np.repeat([0, 1], count) for count in PER_CLASS])
    images = np.random.default_rng(0).integers(0, 256, (len(splits), 20, 20), np.uint8)
    return Listing(
        source=Path("faces"),
        kind="folder",
        class_names=("anger", "joy"),
        names=np.array([f"{row}.png" for row in range(len(splits))]),
        splits=splits.astype(np.uint8),
        given=given,
        images=ArrayImages(images),
        ids=np.arange(len(splits)),
    )


def changed(listing, name, rows, value):
    array = np.array(getattr(listing, name))
    array[rows] = value
    return replace(listing, **{name: array})


def with_images(listing, rows, pixels):
    array = listing.images.array.copy()
    array[rows] = pixels
    return replace(listing, images=ArrayImages(array))


def found(listing, scanned=None):
    """The findings of a listing by code."""
    findings = check(listing, scanned or scan(listing))
    assert all(finding.what and finding.fix for finding in findings)
    return {finding.code: finding for finding in findings}


def test_a_healthy_data_set_has_no_findings(healthy):
    assert found(healthy) == {}


def test_bad_images_are_warned_of_by_reason_and_are_errors_beyond_one_percent(healthy):
    looked = scan(healthy)
    looked.good[3] = False
    bad = (BadRow(3, "3.png", "cut short", "5 bytes missing"),)
    finding = found(healthy, replace(looked, bad=bad))["cut-short"]
    assert finding.severity is Severity.WARNING and finding.files == ("3.png",)
    assert "1 image cannot be used: cut short (5 bytes missing)" in finding.what
    looked.good[40:42] = False
    bad += (BadRow(40, "40.png", "missing", ""), BadRow(41, "41.png", "missing", ""))
    findings = found(healthy, replace(looked, bad=bad))
    assert findings["missing"].files == ("40.png", "41.png")
    assert findings["missing"].severity is findings["cut-short"].severity is Severity.ERROR
    assert "--max-bad" in findings["missing"].fix


def test_a_suffix_that_is_not_that_of_the_content_is_noted(tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8))
    for name, kind in (("0.png", "PNG"), ("1.png", "JPEG"), ("2.JPG", "JPEG"), ("3", "PNG")):
        image.save(tmp_path / name, kind)
    names = ["0.png", "1.png", "2.JPG", "3"]
    listing = Listing(
        source=tmp_path,
        kind="folder",
        class_names=("anger", "joy"),
        names=np.array(names),
        splits=np.zeros(4, np.uint8),
        given=np.array([0, 1, 0, 1]),
        images=FileImages(tmp_path, names),
        ids=np.arange(4),
    )
    finding = found(listing)["wrong-suffix"]
    assert (finding.severity, finding.files) == (Severity.NOTE, ("1.png",))
    assert "JPEG" in finding.what


def test_images_of_one_colour_are_named(healthy):
    finding = found(with_images(healthy, [2], 77))["one-colour"]
    assert (finding.severity, finding.files) == (Severity.WARNING, ("2.png",))


def test_images_of_the_values_0_and_1_are_named_and_most_of_them_are_an_error(healthy):
    masks = (healthy.images.array > 127).astype(np.uint8)
    few = healthy.images.array.copy()
    few[3] = masks[3]
    finding = found(replace(healthy, images=ArrayImages(few)))["values-0-and-1"]
    assert (finding.severity, finding.files) == (Severity.WARNING, ("3.png",))
    assert found(replace(healthy, images=ArrayImages(masks)))["values-0-and-1"].severity == "error"


def test_sizes_and_shapes_far_from_the_others_are_named(healthy):
    looked = scan(healthy)
    looked.width[0], looked.height[0] = 9, 9
    looked.width[1], looked.height[1] = 90, 60
    findings = found(healthy, looked)
    assert findings["too-small"].files == ("0.png",)
    assert findings["sizes-differ"].files == ("0.png", "1.png")
    assert "from 9 to 60 pixels" in findings["sizes-differ"].what
    assert findings["shapes-differ"].files == ("1.png",)
    assert findings["shapes-differ"].severity is Severity.NOTE


def test_grey_among_colour_and_animations_are_noted(healthy):
    looked = scan(healthy)
    looked.grey[5:] = False
    looked.frames[7] = 12
    findings = found(healthy, looked)
    assert findings["grey-among-colour"].files == tuple(f"{row}.png" for row in range(5))
    assert findings["animated"].files == ("7.png",)


def test_equal_pixels_in_training_and_test_are_an_error(healthy):
    images = healthy.images.array
    finding = found(with_images(healthy, [85], images[4]))["duplicates-across-splits"]
    assert (finding.severity, finding.files) == (Severity.ERROR, ("4.png", "85.png"))
    assert "1 image to judge by (2.0 % of all)" in finding.what


def test_equal_pixels_in_one_split_are_named_together(healthy):
    images = healthy.images.array
    findings = found(with_images(healthy, [9, 20, 11], images[[4, 4, 6]]))
    assert set(findings) == {"duplicates"}
    assert findings["duplicates"].files == ("4.png", "9.png", "20.png", "6.png", "11.png")
    assert findings["duplicates"].severity is Severity.WARNING  # 3 of 110 images


def test_equal_pixels_with_different_labels_are_told(healthy):
    images = healthy.images.array
    finding = found(with_images(healthy, [40], images[4]))["duplicates-with-different-labels"]
    assert finding.files == ("4.png", "40.png")


def test_near_copies_are_told_within_and_across_splits(healthy):
    def brighter(row):
        return np.clip(healthy.images.array[row].astype(int) + 9, 0, 255)

    findings = found(with_images(with_images(healthy, [7], brighter(4)), [85], brighter(5)))
    assert findings["near-duplicates"].files == ("4.png", "7.png")
    assert findings["near-duplicates"].severity is Severity.NOTE
    assert findings["near-duplicates-across-splits"].files == ("5.png", "85.png")
    assert findings["near-duplicates-across-splits"].severity is Severity.WARNING


def test_images_without_a_label_are_told_once(healthy):
    listing = changed(healthy, "given", [1, 2], -1)
    finding = found(listing)["no-label"]
    assert (finding.severity, finding.files) == (Severity.WARNING, ("1.png", "2.png"))
    told = Finding("missing-label", Severity.WARNING, "line 3 has no label", "write one")
    assert "no-label" not in found(replace(listing, findings=(told,)))


@pytest.mark.parametrize(
    ("label", "said"), [(1, "every image has the label 'joy'"), (-1, "no image that can be used")]
)
def test_one_label_or_none_is_an_error(healthy, label, said):
    finding = found(changed(healthy, "given", slice(None), label))["one-class"]
    assert finding.severity is Severity.ERROR
    assert said in finding.what


def test_a_class_that_only_the_test_split_has_is_an_error(healthy):
    listing = replace(healthy, class_names=("anger", "joy", "fear", "disgust"))
    findings = found(changed(listing, "given", np.flatnonzero(listing.splits == TEST)[:12], 2))
    finding = findings["class-without-training-images"]
    assert finding.severity is Severity.ERROR
    assert "2 classes: 'fear', 'disgust'" in finding.what
    unused = found(listing)["class-without-training-images"]
    assert unused.severity is Severity.WARNING


def test_a_missing_class_folder_is_not_told_twice(healthy):
    told = Finding("empty-class-folder", Severity.WARNING, "empty", "fill it", ("train/fear",))
    listing = replace(healthy, class_names=("anger", "joy", "fear"), findings=(told,))
    assert set(found(listing)) == {"empty-class-folder"}


def test_tiny_classes_are_told_of_every_split(healthy):
    listing = changed(healthy, "given", np.flatnonzero(healthy.given == 1)[:11], 0)
    listing = changed(listing, "given", np.flatnonzero(healthy.splits == TEST)[-6:], 0)
    findings = found(listing)
    assert findings["tiny-class"].severity is Severity.WARNING
    assert findings["tiny-class"].what == "1 class of fewer than 20 training images: joy 19"
    assert findings["tiny-class-in-test"].severity is Severity.NOTE
    assert "joy 9" in findings["tiny-class-in-test"].what


def test_unequal_classes_are_told_with_their_ratio(healthy):
    listing = changed(healthy, "given", np.flatnonzero(healthy.splits == TRAIN)[5:], 1)
    what = found(listing)["imbalance"].what
    assert "joy has 11 times as many training images as anger (55 and 5)" in what


@pytest.mark.parametrize(
    ("missing", "codes"),
    [
        (TEST, {"no-test-split"}),
        (VALIDATION, {"no-validation-split"}),
        (TRAIN, {"no-training-split"}),
    ],
)
def test_a_missing_split_is_told(healthy, missing, codes):
    assert set(found(changed(healthy, "given", healthy.splits == missing, -1))) == {
        "no-label",
        *codes,
    }


def test_known_true_labels_tell_how_many_are_wrong(healthy):
    clean = healthy.given.copy()
    clean[:11] = 1
    finding = found(replace(healthy, clean=clean))["wrong-labels"]
    assert "11 of 110 labels (10.0 %)" in finding.what
    assert finding.files[0] == "0.png" and len(finding.files) == 11


def test_errors_come_first_and_the_listings_own_findings_are_among_them(healthy):
    own = tuple(Finding(f"own-{kind}", kind, "what", "fix") for kind in ("note", "error"))
    own = tuple(replace(finding, severity=Severity(finding.severity)) for finding in own)
    listing = with_images(replace(healthy, findings=own), [2], 77)
    assert [finding.code for finding in check(listing, scan(listing))] == [
        "own-error",
        "one-colour",
        "own-note",
    ]


def test_nothing_at_all_is_one_finding(healthy):
    empty = replace(
        healthy,
        images=ArrayImages(healthy.images.array[:0]),
        **{name: getattr(healthy, name)[:0] for name in ("names", "splits", "given", "ids")},
    )
    assert set(found(empty)) == {"one-class"}


def with_values(listing, **known):
    """The listing with continuous targets: zeros and halves, but at the rows `{row: value}`."""
    values = {}
    for name, rows in known.items():
        values[name] = np.resize(np.array([0, 0.5], np.float32), len(listing))
        for row, value in rows.items():
            values[name][row] = value
    return replace(listing, values=values)


def test_continuous_targets_in_their_range_are_no_finding(healthy):
    assert found(with_values(healthy, valence={0: -1, 1: 1}, age={0: 80})) == {}


def test_valence_and_arousal_off_their_scale_are_named(healthy):
    data = with_values(healthy, arousal={3: 1.25, 7: -4, 9: -1}, age={0: 80})
    finding = found(data)["value-out-of-range"]
    assert finding.severity is Severity.WARNING
    assert finding.what == "2 images with arousal outside -1 to 1: from -4 to 1.25"
    assert finding.files == ("3.png", "7.png")


def test_missing_continuous_targets_are_noted_with_their_images(healthy):
    finding = found(with_values(healthy, valence={2: np.nan, 4: np.nan}))["value-missing"]
    assert finding.severity is Severity.NOTE
    assert finding.what == "2 images of 110 without valence"
    assert finding.files == ("2.png", "4.png")


def test_a_continuous_target_that_never_changes_is_doubted(healthy):
    same = replace(healthy, values={"valence": np.full(len(healthy), 0.25, np.float32)})
    assert found(same)["value-constant"].what == "valence is 0.25 for all 110 images that have it"

import zlib

import numpy as np
import pytest

from eactf.errors import DataError
from eactf.faces import EXPRESSIONS, draw_faces, drawn_face_dataset
from eactf.intake.contact_sheet import contact_sheet


@pytest.fixture(scope="module")
def crowd() -> tuple[np.ndarray, np.ndarray]:
    return draw_faces(2100, size=24, seed=3)


def test_faces_are_grey_bytes_with_integer_labels() -> None:
    images, labels = draw_faces(5, size=32)
    assert images.shape == (5, 32, 32, 1)
    assert images.dtype == np.uint8
    assert labels.shape == (5,)
    assert labels.dtype == np.int64


def test_no_faces_are_an_empty_batch() -> None:
    images, labels = draw_faces(0, size=20)
    assert images.shape == (0, 20, 20, 1)
    assert labels.shape == (0,)


def test_the_same_arguments_give_the_same_bytes() -> None:
    first, second = draw_faces(12, seed=5), draw_faces(12, seed=5)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize("difficulty", [0.0, 1.0, 2.0])
def test_a_face_does_not_depend_on_its_batch(difficulty: float) -> None:
    # 70 faces of 48 pixels pass the size of one chunk.
    images, labels = draw_faces(70, seed=1, difficulty=difficulty)
    for start, count in ((0, 1), (13, 4), (41, 29)):
        part, part_labels = draw_faces(count, seed=1, start=start, difficulty=difficulty)
        np.testing.assert_array_equal(part, images[start : start + count])
        np.testing.assert_array_equal(part_labels, labels[start : start + count])


def test_the_faces_of_a_seed_are_the_same_on_every_machine() -> None:
    # Recorded runs name their faces by seed: a change of look must be deliberate and announced.
    images, labels = draw_faces(16, size=24, seed=11)
    assert labels.tolist() == [0, 0, 0, 1, 4, 3, 1, 1, 5, 4, 4, 1, 6, 3, 4, 1]
    assert zlib.crc32(images.tobytes()) == 1168434413


def test_another_seed_draws_other_people() -> None:
    first, second = draw_faces(8, seed=0), draw_faces(8, seed=1)
    assert all((a != b).mean() > 0.5 for a, b in zip(first[0], second[0], strict=True))


def test_difficulty_changes_the_face_but_not_its_label() -> None:
    easy, hard = draw_faces(8, difficulty=0.0), draw_faces(8, difficulty=1.0)
    np.testing.assert_array_equal(easy[1], hard[1])
    assert (easy[0] != hard[0]).any()


def test_all_expressions_appear_about_equally_often(crowd: tuple[np.ndarray, np.ndarray]) -> None:
    counts = np.bincount(crowd[1], minlength=len(EXPRESSIONS))
    assert len(counts) == len(EXPRESSIONS) == 7
    assert counts.min() > 240
    assert counts.max() < 360


def test_images_use_the_grey_scale_without_clipping(crowd: tuple[np.ndarray, np.ndarray]) -> None:
    images = crowd[0]
    assert images.std() > 30
    assert ((images == 0) | (images == 255)).mean() < 0.05


def test_left_and_right_carry_no_information(crowd: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = crowd
    for expression in range(len(EXPRESSIONS)):
        faces = images[labels == expression, :, :, 0].astype(np.float64)
        lean = faces - faces[:, :, ::-1]
        score = lean.mean(axis=0) / (lean.std(axis=0) / len(faces) ** 0.5 + 1e-9)
        assert np.abs(score).max() < 5.0
        assert np.mean(score**2) < 2.0


def centroid_accuracy(images: np.ndarray, labels: np.ndarray) -> float:
    """How often the nearest class mean (of the first half) names the second half's class."""
    faces = images.reshape(len(images), -1).astype(np.float64)
    faces -= faces.mean(axis=1, keepdims=True)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    half = len(faces) // 2
    seen, seen_labels = faces[:half], labels[:half]
    means = np.stack([seen[seen_labels == k].mean(axis=0) for k in range(len(EXPRESSIONS))])
    distance = ((faces[half:, None] - means) ** 2).sum(axis=2)
    return float((distance.argmin(axis=1) == labels[half:]).mean())


@pytest.mark.parametrize("rows", [slice(0, 14), slice(15, 24)], ids=["eyes", "mouth"])
def test_each_half_of_the_face_shows_the_expression(rows: slice) -> None:
    images, labels = draw_faces(1000, size=24, seed=4, difficulty=0.0)
    assert centroid_accuracy(images[:, rows], labels) > 0.4


def test_faces_at_full_difficulty_are_harder(crowd: tuple[np.ndarray, np.ndarray]) -> None:
    easy = centroid_accuracy(*draw_faces(1000, size=24, seed=4, difficulty=0.0))
    hard = centroid_accuracy(crowd[0][:1000], crowd[1][:1000])
    assert easy - hard > 0.15


def test_the_data_set_has_disjoint_ids_and_right_labels() -> None:
    dataset = drawn_face_dataset(train=6, validation=3, test=4, size=20, seed=2)
    splits = dataset.splits
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 6,
        "validation": 3,
        "test": 4,
    }
    ids = np.concatenate([split.ids for split in splits.values()])
    np.testing.assert_array_equal(ids, np.arange(13))
    for split in splits.values():
        assert split.clean is not None
        np.testing.assert_array_equal(split.given, split.clean)
    assert dataset.class_names == EXPRESSIONS
    assert dataset.image_shape == (20, 20, 1)


def test_ids_name_the_face_index() -> None:
    dataset = drawn_face_dataset(train=4, validation=2, test=3, size=20, seed=2)
    images, labels = draw_faces(3, size=20, seed=2, start=6)
    np.testing.assert_array_equal(dataset.splits["test"].images, images)
    np.testing.assert_array_equal(dataset.splits["test"].given, labels)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"count": -1}, "count = -1"),
        ({"count": 1, "size": 8}, "size = 8"),
        ({"count": 1, "size": 4096}, "size = 4096"),
        ({"count": 1, "start": -2}, "start = -2"),
        ({"count": 2, "start": 2**31 - 1}, "start = 2147483647"),
        ({"count": 1, "difficulty": 3.0}, "difficulty = 3"),
        ({"count": 1, "difficulty": float("nan")}, "difficulty = nan"),
        ({"count": 1.5}, "count = 1.5"),
        ({"count": 1, "seed": "today"}, "seed = 'today'"),
    ],
)
def test_arguments_out_of_range_are_told(arguments: dict, told: str) -> None:
    with pytest.raises(DataError, match="expected") as failure:
        draw_faces(**arguments)
    assert told in str(failure.value)


def test_a_negative_split_is_told_by_its_name() -> None:
    with pytest.raises(DataError, match="validation = -1"):
        drawn_face_dataset(train=1, validation=-1, test=1)


def test_a_contact_sheet_has_a_row_for_each_class() -> None:
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 5, 1), np.uint8)
    sheet = contact_sheet(images, np.array([1, 0, 1]), ("a", "b"), columns=2)
    assert sheet.shape == (2 * 6 + 2, 2 * 7 + 2, 1)
    assert (sheet[2:6, 2:7] == 1).all()
    assert (sheet[2:6, 9:14] == 255).all()  # class a has one image only
    assert (sheet[8:12, 2:7] == 0).all()
    assert (sheet[8:12, 9:14] == 2).all()


@pytest.mark.parametrize(
    ("shape", "labels", "columns"),
    [((2, 4, 4), 2, 1), ((2, 4, 4, 1), 3, 1), ((2, 4, 4, 1), 2, 0)],
)
def test_a_contact_sheet_refuses_arrays_that_do_not_fit(
    shape: tuple[int, ...], labels: int, columns: int
) -> None:
    with pytest.raises(DataError, match="contact sheet"):
        contact_sheet(np.zeros(shape, np.uint8), np.zeros(labels, int), ("a",), columns)

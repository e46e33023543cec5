"""A dozen shapes that a user's data may have: each a path, and keys its recipe must hold."""

from __future__ import annotations

import shutil

import numpy as np

__all__ = ["SHAPES", "copies_in_train"]


def grey_folder(tmp_path, folder, draw):
    return folder(), {"data.channels": 1, "data.image_size": 32, "method.name": "eac"}


def folder_without_splits(tmp_path, folder, draw):
    return folder(splits=(".",), count=60), {"data.validation_fraction": 0.2}


def colour_folder_with_all_splits(tmp_path, folder, draw):
    path = folder(splits=("train", "val", "test"), mode="RGB", size=(48, 48))
    return path, {"data.channels": 3, "data.image_size": 48, "model.stem": "small"}


def images_of_many_sizes(tmp_path, folder, draw):
    path = folder(count=1)
    for number in range(20):
        draw(path / "train" / "yes" / f"m{number}.png", 100 + number, size=(40 + number, 60))
    return path, {"data.image_size": 40}


def a_manifest(tmp_path, folder, draw):
    path = folder(splits=("all",))
    rows = [f"all/{label}/{index}.png,{label}" for label in ("no", "yes") for index in range(6)]
    (path / "faces.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    return path / "faces.csv", {"noise.kind": "none"}


def a_manifest_with_true_labels(tmp_path, folder, draw):
    path = folder(splits=("all",))
    rows = [
        f"all/{label}/{index}.png,{label if index else 'no'},{label}"
        for label in ("no", "yes")
        for index in range(6)
    ]
    (path / "faces.csv").write_text("path,label,clean\n" + "\n".join(rows) + "\n")
    return path / "faces.csv", {"method.name": "eac"}


def a_manifest_with_a_second_label(tmp_path, folder, draw):
    path = folder(splits=("all",))
    rows = [
        f"all/{label}/{index}.png,{label},{'no' if index < 2 else 'yes'}"
        for label in ("no", "yes")
        for index in range(6)
    ]
    (path / "faces.csv").write_text("path,label,crowd\n" + "\n".join(rows) + "\n")
    return path / "faces.csv", {"noise.kind": "human", "noise.labels": "crowd"}


def numpy_arrays(tmp_path, folder, draw):
    numbers = np.random.default_rng(0)
    np.savez(
        tmp_path / "faces.npz",
        x_train=numbers.integers(0, 256, (30, 28, 28), "uint8"),
        y_train=np.arange(30) % 3,
        x_test=numbers.integers(0, 256, (9, 28, 28), "uint8"),
        y_test=np.arange(9) % 3,
    )
    return tmp_path / "faces.npz", {"data.image_size": 28, "data.channels": 1}


def two_spellings(tmp_path, folder, draw):
    return folder(classes=("Happy", "happy_", "sad")), {}


def one_tiny_class_of_many(tmp_path, folder, draw):
    path = folder(classes=tuple(f"c{index}" for index in range(20)), count=2)
    draw(path / "train" / "rare" / "0.png", 999)
    return path, {}


def copies_in_train(tmp_path, folder, draw):
    path = folder(splits=("train",), count=30)
    for index in range(30):
        shutil.copy(path / "train" / "no" / f"{index}.png", path / "train" / "no" / f"b{index}.png")
    return path, {}


def a_name_with_blanks_and_letters(tmp_path, folder, draw):
    return folder(name="meine [bold] Gesichter für #1"), {}


SHAPES = (
    grey_folder,
    folder_without_splits,
    colour_folder_with_all_splits,
    images_of_many_sizes,
    a_manifest,
    a_manifest_with_true_labels,
    a_manifest_with_a_second_label,
    numpy_arrays,
    two_spellings,
    one_tiny_class_of_many,
    copies_in_train,
    a_name_with_blanks_and_letters,
)

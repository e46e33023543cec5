"""A packed file of twelve small images, and an audit of it whose suspects are written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from twelve_faces import CLASSES, pack_faces

from eactf.noise.ranking import rank
from eactf.noise.suspects import suspect_rows
from eactf.packed import open_packed


@pytest.fixture
def packed(tmp_path):
    return pack_faces(tmp_path / "faces.h5")


@pytest.fixture
def audit(packed, tmp_path):
    """The folder of an audit of the training split; samples 104, 101 and 107 are suspect."""
    from eactf.intake.sources import SourceOptions
    from eactf.review.audited import Audited, AuditFolder

    samples = open_packed(packed).splits["train"]
    probability = np.full((8, 3), 0.1)
    probability[np.arange(8), samples.given] = 0.8
    for row, own in ((4, 0.05), (1, 0.2), (7, 0.3)):
        probability[row] = (1.0 - own) * np.array([0.1, 0.0, 0.9])
        probability[row, 1] = own
    ranking = rank(probability, samples.given, evidence={"loss": np.arange(8) / 7.0})
    folder = AuditFolder(tmp_path / "audit")
    audited = Audited.of_data(packed, "train", CLASSES, None, SourceOptions())
    folder.write(audited, suspect_rows(ranking, samples, CLASSES, "train"), {"samples": 8})
    return folder

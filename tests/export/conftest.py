"""One tiny classifier, stored, for all tests of the package, and what it is to give."""

from __future__ import annotations

import pytest
from tiny_classifiers import make_faces, make_tiny_classifier

NAMES = ["left", "right", "both"]


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """A classifier file of 6 px and one channel, opened."""
    from eactf.evaluation.storage import open_classifier_file, save_classifier

    path = tmp_path_factory.mktemp("stored") / "model.keras"
    save_classifier(path, make_tiny_classifier(), {"class_names": NAMES, "method": "eac"})
    return open_classifier_file(path)


@pytest.fixture(scope="session")
def images():
    """Seven images `(7, 6, 6, 1)` uint8."""
    return make_faces(7)[0].astype("uint8")


@pytest.fixture(scope="session")
def everything(stored):
    """What goes into a file with probabilities and maps, and the facts beside it."""
    from eactf.export.facts import facts_of
    from eactf.export.form import ExportForm, Runtime
    from eactf.export.served import serve

    form = ExportForm(Runtime.ONNX, maps=True)
    served = serve(stored, form)
    return served, facts_of(stored, served, form, 0)

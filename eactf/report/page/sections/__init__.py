"""The sections of a page, one file each.

To add one, write a function that makes it of a `Subject`, or gives None where there is nothing to
show, and put it into `SECTIONS`, where it is to stand on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eactf.report.page.blocks import Section
from eactf.report.page.sections.calibration import calibration
from eactf.report.page.sections.confusion import confusion
from eactf.report.page.sections.consistency import consistency
from eactf.report.page.sections.curves import curves
from eactf.report.page.sections.disagreement import disagreement
from eactf.report.page.sections.features import features
from eactf.report.page.sections.in_words import in_words
from eactf.report.page.sections.losses import losses
from eactf.report.page.sections.maps import maps
from eactf.report.page.sections.paper import paper
from eactf.report.page.sections.robustness import robustness
from eactf.report.page.sections.sample_scores import sample_scores
from eactf.report.page.sections.suspects import suspects
from eactf.report.page.subject import Subject

__all__ = ["SECTIONS", "MakeSection"]

MakeSection = Callable[[Subject], Section | None]

SECTIONS: Sequence[MakeSection] = (
    paper,
    in_words,
    curves,
    confusion,
    maps,
    disagreement,
    consistency,
    losses,
    sample_scores,
    suspects,
    features,
    calibration,
    robustness,
)
"""Every section, in the order of the page."""

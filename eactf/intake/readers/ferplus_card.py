"""This module holds FERPlus's card; `ferplus` packs the data set from its two files."""

from __future__ import annotations

from eactf.intake.readers.card import Card, Option
from eactf.intake.votes import EMOTIONS, RULES

__all__ = ["CARD", "DATASETS"]

CARD = Card(
    name="ferplus",
    title="FERPlus: FER2013's faces with ten annotators' votes",
    classes=EMOTIONS,
    class_total=8,
    counts={"train": 28_709, "validation": 3_589, "test": 3_589},
    needs="two CSV files",
    get="fer2013.csv from Kaggle's facial expression recognition challenge of 2013 (an account and"
    " its rules to be accepted), fer2013new.csv from github.com/microsoft/FERPlus",
    layout=("fer2013.csv: emotion,pixels,Usage", "fer2013new.csv: Usage,Image name,neutral,..."),
    licence="votes MIT (Microsoft); the images were gathered from the web for research and have no"
    " licence text",
    terms="research, MIT",
    takes="--images FILE --votes FILE",
    quirks=(
        "row i of one file is row i of the other: neither may be sorted or filtered",
        "counts are rows of the files; the vote rule and images without a face leave fewer",
        "of the 35,887 images 177 have no name in fer2013new.csv and are left out",
        "train and validation share pixel-identical faces",
    ),
    options=(
        Option("images", "Kaggle's fer2013.csv."),
        Option("votes", "Microsoft's fer2013new.csv."),
        Option("vote-rule", "How votes become a label.", "argmax", RULES),
        Option("classes", "7 leaves out contempt.", "8", ("8", "7")),
    ),
    citation="Goodfellow et al., Challenges in representation learning, ICONIP 2013; Barsoum et"
    " al., Training deep networks for facial expression recognition with crowd-sourced label"
    " distribution, ICMI 2016",
)

DATASETS = {"ferplus": (CARD, None)}

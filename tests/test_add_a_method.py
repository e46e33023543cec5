"""What docs/architecture.md says of adding a method is done to a copy, and works there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECTION = re.search(
    r"^## Add a method$(.*?)^## ",
    (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)[1]
(SOURCE,) = re.findall(r"^```python\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
LINE, COMMANDS = re.findall(r"^```text\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
TINY = (
    *("data.drawn.train=40", "data.drawn.validation=20", "data.drawn.test=20"),
    *("data.drawn.size=32", "model.width=4", "train.epochs=1"),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """eactf with the method of the page: one file more, and one line."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("eactf", "recipes"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "eactf" / "methods" / "bootstrap.py").write_text(SOURCE, encoding="utf-8")
    names = root / "eactf" / "method_names.py"
    text = names.read_text(encoding="utf-8")
    names.write_text(text.replace("\n}\n", "\n" + LINE + "}\n"), encoding="utf-8")
    return root


def run(copy, *words):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_settings_are_keys_of_a_recipe(copy):
    show, _ = COMMANDS.splitlines()
    told = " ".join(run(copy, "-m", *show.split()).split())
    assert "0 <= float <= 1 0.95" in told
    assert "weight of the given label; the rest is the prediction's (beta of eq. 6)" in told


def test_it_trains_from_the_command_line(copy):
    _, train = COMMANDS.splitlines()
    tiny = [word for setting in TINY for word in ("--set", setting)]
    run(copy, "-m", *train.split(), *tiny, "--run-dir", "run", "--json")
    result = json.loads((copy / "run" / "result.json").read_text())
    assert 0.0 <= result["last_epoch"]["accuracy"] <= 1.0
    assert "trust: 0.8" in (copy / "run" / "recipe.yaml").read_text()


def test_it_is_there_in_python_and_refuses_what_its_recipe_would(copy):
    code = (
        "import eactf, numpy as np\n"
        "net = eactf.build_classifier('resnet10', image_size=32, channels=1, classes=3, width=4)\n"
        "model = eactf.Bootstrap(net, trust=0.5)\n"
        "model.compile(optimizer=eactf.optimizers.Adam(1e-3))\n"
        "images = np.zeros((4, 32, 32, 1), 'uint8')\n"
        "print(*model.fit(images, np.array([0, 1, 2, 0]), verbose=0).history)\n"
        "try:\n    eactf.Bootstrap(net, trust=2)\n"
        "except ValueError as reason:\n    print(reason)\n"
    )
    assert run(copy, "-c", code).splitlines() == [
        "loss",
        "trust must be in [0, 1]; received 2",
    ]

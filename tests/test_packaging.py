"""The wheel: what it carries, and that it works unpacked somewhere else."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted(path.name for path in (ROOT / "recipes").glob("*.yaml"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built offline from a copy of what the build needs."""
    for needed in ("setuptools", "pip"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed, and fetching it needs a network")
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("eactf", "recipes"):
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    for file in ("pyproject.toml", "README.md", "LICENSE", "cli.py"):
        shutil.copy(ROOT / file, source / file)
    build = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    command = [sys.executable, *build, str(place), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = place.glob("eactf-*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_carries_every_recipe_and_table(unpacked):
    def files(folder):
        return {str(path.relative_to(folder)) for path in folder.rglob("*.yaml")}

    assert RECIPES
    assert files(unpacked / "eactf" / "_recipes") == files(ROOT / "recipes")


def test_the_wheel_carries_every_module_and_nothing_beside_the_package(unpacked):
    def modules(folder):
        return {str(path.relative_to(folder)) for path in (folder / "eactf").rglob("*.py")}

    assert modules(unpacked) == modules(ROOT)
    (info,) = unpacked.glob("*.dist-info")
    assert {entry.name for entry in unpacked.iterdir()} == {"eactf", info.name}


def test_the_wheel_carries_what_a_report_is_made_of(unpacked):
    for name in ("page.html.jinja", "page.css"):
        assert (unpacked / "eactf" / "report" / "page" / name).is_file()


def test_the_wheel_carries_the_page_of_a_review(unpacked):
    page = unpacked / "eactf" / "review" / "static"
    assert {path.name for path in page.iterdir()} == {
        path.name for path in (ROOT / "eactf" / "review" / "static").iterdir()
    }


def test_the_wheel_carries_the_licence_and_says_that_it_is_typed(unpacked):
    assert (unpacked / "eactf" / "py.typed").is_file()
    (licence,) = unpacked.glob("*.dist-info/licenses/LICENSE")
    assert "Apache License" in licence.read_text(encoding="utf-8")


def test_the_wheel_has_the_console_script_and_asks_for_what_it_imports(unpacked):
    (entries,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "eactf = eactf.cli:main" in entries.read_text()
    (metadata,) = unpacked.glob("*.dist-info/METADATA")
    needed = [
        line for line in metadata.read_text().splitlines() if line.startswith("Requires-Dist")
    ]
    for package in ("tensorflow", "keras", "numpy", "h5py", "click", "rich", "pydantic", "pillow"):
        assert any(line.startswith(f"Requires-Dist: {package}") for line in needed), package


def test_the_unpacked_wheel_knows_its_recipes_away_from_the_source(unpacked, tmp_path):
    code = (
        "import eactf, sys\n"
        "print(eactf.__file__, file=sys.stderr)\n"
        "from eactf.cli import cli\n"
        "cli(['recipes', 'list', '--json'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert str(unpacked) in done.stderr
    names = {json.loads(line)["name"] for line in done.stdout.splitlines()}
    assert {f"{name}.yaml" for name in names} == set(RECIPES)

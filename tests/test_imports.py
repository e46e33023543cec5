"""Imports run one way, and the light half of the package stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "eactf"

LEVELS = (
    (
        *("eactf.errors", "eactf.files", "eactf.foreign", "eactf.kernels"),
        *("eactf.method_names", "eactf.only", "eactf.stopping", "eactf.suggestions"),
        "eactf.wording",
    ),
    ("eactf.console", "eactf.quiet", "eactf.safe_pickle"),
    ("eactf.cluster", "eactf.progress"),
    ("eactf.packed", "eactf.recipe"),
    (
        *("eactf.division", "eactf.faces", "eactf.margins", "eactf.metrics", "eactf.mixture"),
        "eactf.noise",
    ),
    ("eactf.intake",),
    ("eactf.checked",),
    ("eactf.data", "eactf.losses", "eactf.optimizers", "eactf.nn", "eactf.schedules"),
    ("eactf.methods",),
    ("eactf.evaluation",),
    ("eactf.export",),
    ("eactf.training",),
    ("eactf.review",),
    ("eactf.report",),
    ("eactf.wizard",),
    ("eactf.cli",),
)
"""From the ground up. A module may import from its own level and from those below it."""

LIGHT = (
    "eactf.review",
    "eactf.training.run_traces",
    "eactf.errors",
    "eactf.files",
    "eactf.foreign",
    "eactf.method_names",
    "eactf.only",
    "eactf.cluster",
    "eactf.console",
    "eactf.safe_pickle",
    "eactf.stopping",
    "eactf.suggestions",
    "eactf.wording",
    "eactf.recipe",
    "eactf.packed",
    "eactf.faces",
    "eactf.noise",
    "eactf.division",
    "eactf.margins",
    "eactf.metrics",
    "eactf.mixture",
    "eactf.intake",
    "eactf.checked",
    "eactf.data",
    "eactf.export.form",
    "eactf.methods.ledger",
    "eactf.training.beginnings",
    "eactf.training.folder",
    "eactf.training.lock",
    "eactf.training.run_list",
    "eactf.training.unfinished",
    "eactf.wizard",
    "eactf.cli",
)
HEAVY = {"tensorflow", "keras", "keras_cv"}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
# The package's own front door and `python -m eactf` stand above everything.
CHECKED = [name for name in MODULES if name not in ("eactf", "eactf.__main__")]


def level(module):
    """The level of the longest entry that holds a module; None for one that has no place yet."""
    found = {
        entry: number
        for number, entries in enumerate(LEVELS)
        for entry in entries
        if module == entry or module.startswith(entry + ".")
    }
    return found[max(found, key=len)] if found else None


def imports(module):
    """Every module that `module` imports, in functions too, but for type checking only."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import hides where it leads"
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in MODULES else str(node.module)


@pytest.mark.parametrize("module", CHECKED)
def test_a_module_imports_nothing_from_above_itself(module):
    own = level(module)
    assert own is not None, f"{module} has no place in LEVELS"
    for name in imports(module):
        if name.startswith("eactf."):
            assert level(name) <= own, f"{module} imports {name}"


def test_the_walk_sees_the_imports_inside_functions():
    assert "eactf.training.run" in set(imports("eactf.cli.train"))


@pytest.mark.parametrize("module", [name for name in CHECKED if name.startswith(LIGHT)])
def test_the_light_half_names_no_tensorflow(module):
    if module == "eactf.data.pipeline":
        assert "tensorflow" in set(imports(module))
        return
    named = {name.partition(".")[0] for name in imports(module)}
    assert not named & HEAVY
    if not module.startswith("eactf.cli"):
        assert "eactf.data.pipeline" not in set(imports(module))


def test_only_the_console_prints():
    for module, path in MODULES.items():
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert "print" not in calls, module


def in_a_fresh_process(code):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_and_its_light_half_imports_no_tensorflow():
    in_a_fresh_process(
        "import sys, eactf, eactf.recipe, eactf.data.prepare, eactf.faces, eactf.intake.decode\n"
        "import eactf.intake.readers.ferplus, eactf.cli, eactf.training.run_list\n"
        "assert eactf.__version__ and 'EAC' in dir(eactf)\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )


def test_a_name_that_is_not_there_is_an_attribute_error():
    import eactf

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = eactf.no_such_name


@pytest.mark.parametrize("module", CHECKED)
def test_every_public_name_that_a_module_lists_is_there(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    listed, defined = [], set()
    branches = [
        part
        for node in tree.body
        if isinstance(node, ast.If)
        for part in (*node.body, *node.orelse)
    ]
    for node in [*tree.body, *branches]:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [
                part.id
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            ]
            defined.update(names)
            if "__all__" in names:
                listed = ast.literal_eval(node.value)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            defined.update(name.asname or name.name for name in node.names)
    assert set(listed) <= defined

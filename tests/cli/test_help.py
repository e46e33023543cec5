"""Help answers at once: nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

HEAVY = ("tensorflow", "keras", "numpy", "h5py", "pydantic", "PIL", "ruamel")

COMMANDS = (
    ["wizard"],
    ["train"],
    ["runs"],
    ["evaluate"],
    ["predict"],
    ["export"],
    ["report"],
    ["compare"],
    ["data"],
    ["data", "pack"],
    ["data", "pack", "ferplus"],
    ["data", "pack", "raf-db"],
    ["data", "check"],
    ["data", "noise"],
    ["data", "list"],
    ["weights"],
    ["weights", "import"],
    ["weights", "show"],
    ["recipes"],
    ["recipes", "list"],
    ["recipes", "show"],
    ["recipes", "copy"],
)


def imported_by(arguments):
    code = (
        "import sys\n"
        f"sys.argv = {['eactf', *arguments]!r}\n"
        "from eactf.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    text, modules = imported_by(arguments)
    assert "eactf" in text
    assert not modules.intersection(HEAVY)


def test_listing_recipes_imports_no_tensorflow():
    text, modules = imported_by(["recipes", "list"])
    assert "quickstart" in text
    assert not modules.intersection({"tensorflow", "keras"})


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(invoke, command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_first_help_names_every_command(invoke):
    text = invoke("--help").output
    for name in ("train", "evaluate", "predict", "export", "data", "recipes"):
        assert f"  {name} " in text


def test_an_unknown_command_is_a_usage_error(invoke):
    assert invoke("trian").exit_code == 2


def test_the_root_launcher_is_the_same_command_line(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "cli.py", "recipes", "list"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "quickstart" in done.stdout


def test_an_interrupt_that_a_library_has_wrapped_is_told_as_one(monkeypatch, capsys):
    from eactf.cli import cli

    def interrupted(*_):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise RuntimeError("schema could not be built") from stop

    monkeypatch.setattr("eactf.cli.lazy.LazyGroup.get_command", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli(["recipes"], prog_name="eactf")
    assert ended.value.code == 130
    assert capsys.readouterr().err == "eactf: interrupted\n"


def test_a_fault_of_the_program_is_not_dressed_up(monkeypatch):
    from eactf.cli import cli

    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("eactf.cli.lazy.LazyGroup.get_command", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        cli(["recipes"], prog_name="eactf")

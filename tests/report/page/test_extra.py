"""The libraries that draw are an extra, and are asked for by its name."""

from __future__ import annotations

import sys

import pytest

from eactf.errors import UsageError
from eactf.report.page import extra


def test_with_the_extra_nothing_is_asked_for():
    extra.require_extra()


def test_without_it_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "sklearn" else name)
    with pytest.raises(UsageError, match="scikit-learn") as failure:
        extra.require_extra()
    assert "pip install 'eactf[report]'" in failure.value.hint
    assert "matplotlib" not in failure.value.message


def test_the_command_says_so_before_it_starts_tensorflow(monkeypatch, tmp_path):
    from click.testing import CliRunner

    from eactf.cli import cli

    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    before = "tensorflow" in sys.modules
    result = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert result.exit_code == 2
    assert "eactf[report]" in result.output
    assert ("tensorflow" in sys.modules) is before

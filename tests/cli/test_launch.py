"""`eactf launch`: what it starts, and what it gives back."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from eactf.cli import cli
from eactf.cluster.launching import launch


def test_only_training_is_launched():
    result = CliRunner().invoke(cli, ["launch", "--workers", "2", "--", "evaluate", "x"])
    assert result.exit_code == 2
    assert "launch starts eactf train" in result.output


def test_the_exit_code_is_that_of_the_worker_that_failed():
    assert launch(2, ["train", "--recipe", "no such recipe"]) == 2


def test_gpus_are_shared_out_and_never_shared(monkeypatch):
    from eactf.cluster import launching
    from eactf.errors import UsageError

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    shares = launching._shared_gpus(2)
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares] == ["0,1", "2,3"]
    with pytest.raises(UsageError, match="6 workers cannot share 5 GPUs"):
        launching._shared_gpus(6)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert launching._shared_gpus(2) == [{}, {}]

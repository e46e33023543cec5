"""`eactf report`: the page of a real run, shown in a real browser."""

from __future__ import annotations

import json
import shutil

import pytest
from browser import Browser, find_browser
from click.testing import CliRunner

from eactf.cli import cli


def report(*words):
    return CliRunner().invoke(cli, ["report", *map(str, words)])


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    """A report of one trained run: (what the command said, its page)."""
    page = tmp_path_factory.mktemp("report") / "report.html"
    result = report(trained[1], "-o", page, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1]), page


def test_the_page_and_its_figures_are_told(made):
    event, page = made
    assert event["event"] == "report"
    assert event["page"] == str(page)
    assert event["bytes"] == page.stat().st_size < 10_000_000
    stems = {path.stem for path in page.with_name("figures").iterdir()} - {"index"}
    assert len(stems) == event["count"]
    for stem in stems:
        kinds = {path.suffix for path in page.with_name("figures").glob(f"{stem}.*")}
        assert kinds == {".csv", ".png", ".svg"}


def test_it_has_maps_losses_features_and_calibration(made):
    text = made[1].read_text(encoding="utf-8")
    for anchor in ("outcome", "curves", "classes", "maps", "losses", "features", "calibration"):
        assert f'id="{anchor}"' in text
    assert not made[0]["missing"]


def test_a_report_that_is_there_is_not_overwritten(made, trained):
    before = made[1].read_bytes()
    result = report(trained[1], "-o", made[1])
    assert result.exit_code == 2
    assert "--overwrite" in result.output
    assert made[1].read_bytes() == before


def test_a_run_whose_network_is_gone_still_has_its_figures(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained[1], folder)
    (folder / "model.keras").unlink()
    result = report(folder)
    assert result.exit_code == 0, result.output
    assert "has no model.keras" in result.stderr
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "has no model.keras" in text
    assert 'id="classes"' in text
    assert 'id="maps"' not in text


def test_what_is_no_run_is_refused(tmp_path):
    result = report(tmp_path)
    assert result.exit_code == 2
    assert "no folder of a run" in result.output
    assert not list(tmp_path.iterdir())


def test_a_run_named_twice_is_refused(trained, tmp_path):
    result = report(trained[1], trained[1], "-o", tmp_path / "report.html")
    assert result.exit_code == 2
    assert "named twice" in result.output


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A Chromium without a window."""
    if find_browser() is None:
        pytest.skip("there is no Chromium to show the page in")
    running = Browser(tmp_path_factory.mktemp("browser"))
    yield running
    running.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_a_browser_shows_it_whole_and_asks_nobody(made, browser, width, dark):
    tab = browser.open(made[1].as_uri(), width=width, dark=dark)
    requests = [event["request"]["url"] for event in tab.said("Network.requestWillBeSent")]
    assert [url for url in requests if not url.startswith("data:")] == [made[1].as_uri()]
    assert tab.said("Log.entryAdded") == []
    assert tab.said("Runtime.consoleAPICalled") == []
    assert tab.said("Runtime.exceptionThrown") == []
    assert tab.evaluate("document.images.length") > 20
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_the_page_is_dark_on_a_dark_screen(made, browser):
    colours = {
        browser.open(made[1].as_uri(), width=800, dark=dark).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for dark in (False, True)
    }
    assert colours == {"rgb(255, 255, 255)", "rgb(20, 23, 28)"}


def test_the_policy_stops_a_script_that_got_into_the_page(made, browser, tmp_path):
    page = tmp_path / "report.html"
    evil = "<script>document.title = 'evil'</script><img src='https://example.invalid/x.png'>"
    page.write_text(made[1].read_text(encoding="utf-8").replace("</main>", evil + "</main>"))
    tab = browser.open(page.as_uri(), width=800)
    assert tab.evaluate("document.title") != "evil"
    refused = " ".join(entry["entry"]["text"] for entry in tab.said("Log.entryAdded"))
    assert refused.count("Content Security Policy") >= 2


def test_it_prints(made, browser, tmp_path):
    browser.open(made[1].as_uri(), width=800).print_to(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")

"""The review page by real requests: who gets it, who does not, and what a click leaves behind."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image
from twelve_faces import CLASSES

from eactf.review.decisions import Choice, read_decisions
from eactf.review.server import ReviewServer
from eactf.review.sitting import Sitting
from eactf.review.thumbnails import ranked_suspects

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def served(audit):
    """A server that answers in a thread of its own."""
    server = ReviewServer(Sitting(audit, ranked_suspects(audit)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(server, method, path, body=None, **headers):
    """The status, the headers and the body of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def decide(server, content, token=None, **headers):
    given = {"Content-Type": "application/json", "X-Review-Token": token or server.token}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return ask(server, "POST", f"/{server.token}/decide", body, **{**given, **headers})


def test_the_page_and_its_parts_are_there_and_may_reach_nothing_else(served):
    for name, kind in (("", "text/html"), ("page.css", "text/css"), ("page.js", "javascript")):
        status, headers, content = ask(served, "GET", f"/{served.token}/{name}")
        assert (status, kind in headers["Content-Type"]) == (200, True)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert not re.search(rb"https?://(?!www\.w3\.org)|innerHTML|eval\(", content)


def test_it_listens_on_the_loopback_address_alone(served):
    assert served.server_address[0] == "127.0.0.1"
    elsewhere = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with elsewhere:
        elsewhere.settimeout(1)
        # Another loopback address stands for every other one of the machine.
        assert elsewhere.connect_ex(("127.0.0.2", served.server_port)) != 0


@pytest.mark.parametrize("path", ["/", "/suspects", "/wrong/", "/wrong/suspects", "//", "/../x"])
def test_without_the_token_there_is_nothing(served, path):
    status, _, content = ask(served, "GET", path)
    assert status == 403
    assert served.token.encode() not in content
    assert b"faces" not in content


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", ""])
def test_a_request_that_names_another_host_gets_nothing(served, host):
    status, _, content = ask(served, "GET", f"/{served.token}/suspects", Host=host)
    assert status == 421
    assert b"faces" not in content
    assert decide(served, {"number": 0, "decision": "drop"}, Host=host)[0] == 421
    assert not served.sitting.folder.decisions.exists()


def test_the_suspects_come_worst_first_with_pictures_of_their_own(served):
    status, _, content = ask(served, "GET", f"/{served.token}/suspects")
    page = json.loads(content)
    assert (status, page["classes"]) == (200, list(CLASSES))
    assert [row["name"] for row in page["suspects"]] == [
        f"faces/{number:02d} <i>&.png" for number in (4, 1, 7)
    ]
    assert {row["given"] for row in page["suspects"]} == {CLASSES[1]}
    assert page["suspects"][0]["figures"]["loss"] == pytest.approx(4 / 7, rel=1e-3)
    for number, grey in enumerate((80, 20, 140)):
        status, headers, content = ask(served, "GET", f"/{served.token}/image/{number}.png")
        assert (status, headers["Content-Type"]) == (200, "image/png")
        assert Image.open(io.BytesIO(content)).getpixel((0, 0)) == grey
    for name in ("3.png", "-1.png", "..%2f..%2fetc%2fpasswd", "1" * 30):
        assert ask(served, "GET", f"/{served.token}/image/{name}")[0] in (400, 404)


def test_a_click_is_on_the_disk_when_it_is_answered_and_can_be_taken_back(served):
    file = served.sitting.folder.decisions
    status, _, content = decide(served, {"number": 0, "decision": "relabel", "label": CLASSES[2]})
    assert (status, json.loads(content)["decided"]) == (200, 1)
    decide(served, {"number": 1, "decision": "drop"})
    first, second = read_decisions(file, CLASSES)
    assert (first.choice, first.id, first.label) == (Choice.RELABEL, 104, CLASSES[2])
    assert (second.choice, second.id, second.given) == (Choice.DROP, 101, CLASSES[1])
    decide(served, {"number": 0, "decision": "undecided"})
    assert [one.id for one in read_decisions(file, CLASSES)] == [101]


def test_another_sitting_goes_on_where_the_first_one_ended(served, audit):
    decide(served, {"number": 2, "decision": "keep"})
    again = Sitting(audit, ranked_suspects(audit)).page()
    assert [row["decision"] for row in again["suspects"]] == [None, None, "keep"]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"X-Review-Token": "wrong"}),
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": "null"}),
        (415, {"Content-Type": "text/plain"}),
        (415, {"Content-Type": "application/x-www-form-urlencoded"}),
        (413, {"Content-Length": "99999999"}),
    ],
)
def test_a_foreign_page_changes_nothing(served, status, headers):
    assert decide(served, {"number": 0, "decision": "drop"}, **headers)[0] == status
    assert not served.sitting.folder.decisions.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"no json",
        b"[]",
        b"[" * 5000,
        {"number": "0", "decision": "drop"},
        {"number": True, "decision": "drop"},
        {"number": 99, "decision": "drop"},
        {"number": -1, "decision": "drop"},
        {"number": 0, "decision": "burn"},
        {"number": 0, "decision": "relabel", "label": "no class"},
        {"decision": "drop"},
    ],
)
def test_what_is_no_decision_is_refused_and_the_server_goes_on(served, content):
    assert decide(served, content)[0] == 400
    assert not served.sitting.folder.decisions.exists()
    assert decide(served, {"number": 0, "decision": "drop"})[0] == 200


def test_a_decision_that_cannot_be_saved_is_told_and_not_shown_as_made(served, monkeypatch):
    from eactf.review import sitting as module

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_decisions", full)
    status, _, content = decide(served, {"number": 0, "decision": "drop"})
    assert (status, json.loads(content)["error"]) == (500, "not saved: No space left on device")
    assert served.sitting.page()["suspects"][0]["decision"] is None


def test_clicks_at_once_are_all_saved(served):
    def click(number):
        assert decide(served, {"number": number, "decision": "keep"})[0] == 200

    threads = [threading.Thread(target=click, args=(number,)) for number in (0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_decisions(served.sitting.folder.decisions, CLASSES)) == 3


def start(audit):
    """`eactf audit --review` in a process of its own, and the server as far as `ask` needs it."""
    command = [sys.executable, "-m", "eactf", "audit", "faces.h5", "-o", audit.path, "--review"]
    process = subprocess.Popen(
        [*map(str, command), "--json"],
        cwd=audit.path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = json.loads(process.stdout.readline())["url"]
    port, token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([\w-]{40,})/", url).groups()

    class Started:
        server_port = int(port)

    Started.token = token
    return process, Started


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGKILL, -9)])
def test_however_the_command_ends_every_click_is_there(audit, number, code):
    process, server = start(audit)
    try:
        assert decide(server, {"number": 1, "decision": "drop"})[0] == 200
    finally:
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert [one.id for one in read_decisions(audit.decisions, CLASSES)] == [101]
    assert not list(audit.path.glob(".writing-*"))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
def test_a_browser_shows_names_as_text_and_complains_of_nothing(served, tmp_path):
    browser = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"),
        *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"),
    ]
    shown = subprocess.run([*browser, served.url], capture_output=True, text=True, timeout=90)
    assert shown.stdout.count("<article") == 1 + 3  # the template, and a card each
    assert "&lt;b&gt;joy&lt;/b&gt;" in shown.stdout
    assert "<b>joy</b>" not in shown.stdout
    assert "0 of 3 decided" in shown.stdout
    assert "CONSOLE" not in shown.stderr

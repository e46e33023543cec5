"""A real browser without a window: Chromium, spoken to over a pipe in its DevTools protocol.

No library and no port: messages are JSON texts that end in a zero byte, on the file descriptors 3
and 4 of the browser's process.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time

SECONDS = 60

_START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for place, end in zip((3, 4), ends):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""A process that puts the ends of two pipes where the browser looks for them, and becomes it."""


def find_browser():
    """The path of a Chromium, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


class Browser:
    """A running browser; `open` shows a page in a new tab."""

    def __init__(self, folder):
        here_in, there_out = os.pipe()
        there_in, here_out = os.pipe()

        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--hide-scrollbars",
            "--no-first-run",
            f"--user-data-dir={folder}",
            "--remote-debugging-pipe",
        ]
        ends = there_in, there_out
        start = [sys.executable, "-c", _START, *map(str, ends)]
        self.process = subprocess.Popen(
            [*start, find_browser(), *options, "about:blank"],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there_in)
        os.close(there_out)
        self.reads, self.writes = here_in, here_out
        self.numbers = itertools.count(1)
        self.buffer = b""
        self.events = []

    def call(self, method, session=None, **parameters):
        """Send a command and wait for its answer; events on the way are kept."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self.writes, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(SECONDS)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def listen(self, seconds):
        """Keep the events that come within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self.events.append(self._next(left))
            except TimeoutError:
                return

    def _next(self, seconds):
        while b"\0" not in self.buffer:
            if not select.select([self.reads], [], [], seconds)[0]:
                raise TimeoutError("the browser says nothing")
            read = os.read(self.reads, 1 << 20)
            if not read:
                raise EOFError("the browser has ended")
            self.buffer += read
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def open(self, url, *, width, height=900, dark=False):
        """Show `url` in a new tab of so many CSS pixels."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Tab(self, session, url, width, height, dark)

    def close(self):
        """End the browser."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.reads)
        os.close(self.writes)


class Tab:
    """A page that is shown, and what the browser said of it."""

    def __init__(self, browser, session, url, width, height, dark):
        self.browser, self.session, self.width = browser, session, width
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._resize(height)
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + SECONDS
        while not self.said("Page.loadEventFired"):
            assert time.monotonic() < deadline, "the page did not load"
            browser.listen(0.1)
        browser.listen(0.3)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def said(self, method):
        """The parameters of all events of a kind."""
        return [
            event["params"]
            for event in self.browser.events
            if event.get("method") == method and event.get("sessionId") == self.session
        ]

    def evaluate(self, expression):
        """The value of a JavaScript expression; the page's own policy does not bind it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, path, *, whole=True):
        """Write what is shown, or all of the page, as PNG."""
        height = self.evaluate("document.documentElement.scrollHeight") if whole else 900
        self._resize(int(height))
        self.browser.listen(0.3)
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def print_to(self, path):
        """Write the page as PDF, as it would be printed."""
        data = self.call(
            "Page.printToPDF", printBackground=False, paperWidth=8.27, paperHeight=11.7
        )
        path.write_bytes(base64.b64decode(data["data"]))

    def _resize(self, height):
        size = {"width": self.width, "height": height, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=self.width < 600, **size)

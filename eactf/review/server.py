"""The review page is served to this machine alone, and to whoever has its token alone.

The socket listens on the loopback address. The path begins with a random token; a request with
another one, or that names another host (as a page elsewhere can make a browser do, by having its
own name resolve to 127.0.0.1), gets nothing. What changes something is a POST with the token in a
header and a body of JSON, which no foreign page can send. The page loads nothing from elsewhere,
and its Content-Security-Policy lets it reach nothing else.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socketserver
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from eactf.errors import EactfError
from eactf.review.sitting import Sitting

__all__ = ["ReviewServer"]

_ADDRESS = "127.0.0.1"
_MOST_BYTES = 64 * 2**10
_PATIENCE = 30.0  # seconds that a connection may stand idle

_FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ReviewServer(ThreadingHTTPServer):
    """Serves one sitting on the loopback address; `port` 0 takes a free one."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there it would let another program take the port over

    def __init__(self, sitting: Sitting, port: int = 0) -> None:
        self.sitting = sitting
        self.token = secrets.token_urlsafe(32)
        super().__init__((_ADDRESS, port), _Handler)
        self.hosts = (f"{_ADDRESS}:{self.server_port}", f"localhost:{self.server_port}")

    def server_bind(self) -> None:
        """Bind without asking a name server what 127.0.0.1 is called, as `HTTPServer` does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.hosts[0]}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that broke off."""


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: ReviewServer
    server_version = "eactf"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Give the page, its parts, what it shows, or a picture."""
        path = self._path()
        if path is None:
            return
        if path in _FILES:
            name, kind = _FILES[path]
            content = resources.files("eactf.review").joinpath("static", name).read_bytes()
            self._answer(HTTPStatus.OK, content, kind)
        elif path == "suspects":
            self._json(HTTPStatus.OK, self.server.sitting.page())
        elif path.startswith("image/"):
            self._picture(path.removeprefix("image/"))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        """Save a decision."""
        path = self._path()
        if path is None:
            return
        fault = self._fault_of_post()
        if fault is not None:
            self._refuse(*fault)
        elif path != "decide":
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        else:
            self._decide(self.rfile.read(int(self.headers["Content-Length"])))

    def _path(self) -> str | None:
        """The path behind the token; None once a request without it was refused."""
        first, slash, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this page has no such host")
        elif not _equal(first, self.server.token) or not slash:
            self._refuse(HTTPStatus.FORBIDDEN, "open the address that eactf printed")
        else:
            return rest
        return None

    def _fault_of_post(self) -> tuple[HTTPStatus, str] | None:
        origin = self.headers.get("Origin")
        if origin is not None and origin not in [f"http://{host}" for host in self.server.hosts]:
            return HTTPStatus.FORBIDDEN, "another page sent this"
        if not _equal(self.headers.get("X-Review-Token", ""), self.server.token):
            return HTTPStatus.FORBIDDEN, "the token is missing"
        if self.headers.get_content_type() != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected JSON"
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return HTTPStatus.LENGTH_REQUIRED, "expected a Content-Length"
        if int(length) > _MOST_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a decision is shorter"
        return None

    def _decide(self, body: bytes) -> None:
        try:
            asked = json.loads(body)
            number, word, label = asked["number"], asked["decision"], asked.get("label", "")
            if type(number) is not int or not isinstance(word, str) or not isinstance(label, str):
                raise ValueError("number, decision and label")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, "expected number, decision and label")
            return
        self._try(
            lambda: self._json(HTTPStatus.OK, self.server.sitting.decide(number, word, label))
        )

    def _picture(self, name: str) -> None:
        number = name.removesuffix(".png")
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
            return
        self._try(
            lambda: self._answer(
                HTTPStatus.OK, self.server.sitting.picture(int(number)), "image/png"
            )
        )

    def _try(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except EactfError as fault:
            self._refuse(HTTPStatus.BAD_REQUEST, fault.message)
        except OSError as fault:  # the browser went away, or the decision could not be saved
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"not saved: {fault.strerror}")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what else it sent is not read
        self._json(status, {"error": why})

    def _json(self, status: HTTPStatus, content: Any) -> None:
        self._answer(status, json.dumps(content).encode(), "application/json")

    def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: Any) -> None:
        """Print nothing: the token is in every path."""


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())

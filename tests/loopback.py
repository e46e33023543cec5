"""Addresses on this machine for processes that talk to each other."""

from __future__ import annotations

import socket

import pytest


def free_addresses(count: int) -> tuple[str, ...]:
    """So many `host:port` that nobody uses now; skips the test where there are no sockets."""
    try:
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    except OSError:
        pytest.skip("no sockets on loopback here")
    found = tuple(f"127.0.0.1:{listener.getsockname()[1]}" for listener in held)
    for listener in held:
        listener.close()
    return found

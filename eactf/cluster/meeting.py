"""Before a run on several machines its workers meet: each tells what it is about to do.

The chief listens at its own address, the one that TensorFlow uses afterwards; every other worker
sends its card there, and all get all cards back. So a worker that is missing is waited for by name,
and one that would train on other data or another recipe is refused by all at once, before anything
is computed. TensorFlow itself would wait without a word, or mix what does not belong together.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from typing import Any

from eactf import console
from eactf.cluster.members import Cluster
from eactf.errors import UsageError
from eactf.wording import enumerated

__all__ = ["PATIENCE", "meet"]

PATIENCE = 900.0
"""Seconds that the workers wait for each other."""

_TELL_EVERY = 30.0
_FORM = "eactf-1"
_LARGEST = 1 << 20

Card = Mapping[str, Any]


def meet(cluster: Cluster, card: Card, *, patience: float = PATIENCE) -> list[Card]:
    """The cards of all workers, in their order, once every worker has come.

    A card is what JSON holds. Raises `UsageError` where a worker does not come in `patience`
    seconds, the chief's address is taken or belongs to something else.
    """
    end = time.monotonic() + patience
    if cluster.leads:
        return _receive(cluster, card, end)
    return _bring(cluster, card, end)


def _receive(cluster: Cluster, card: Card, end: float) -> list[Card]:
    """The chief's part."""
    cards: dict[int, Card] = {0: card}
    held: dict[int, socket.socket] = {}
    told = time.monotonic() - _TELL_EVERY + 5.0
    with _listener(cluster) as listener:
        while len(cards) < len(cluster.addresses):
            missing = [n for n in range(len(cluster.addresses)) if n not in cards]
            told = _wait(cluster, missing, end, told)
            try:
                other: socket.socket | None = listener.accept()[0]
            except TimeoutError:
                other = None
            for index in [index for index, there in held.items() if _is_gone(there)]:
                held.pop(index).close()
                del cards[index]
            if other is not None and (admitted := _admit(cluster, other, cards)) is not None:
                held[admitted] = other
        everyone = [cards[index] for index in range(len(cluster.addresses))]
        for other in held.values():
            _send(other, {"form": _FORM, "cards": everyone})
            other.close()
    return everyone


def _admit(cluster: Cluster, other: socket.socket, cards: dict[int, Card]) -> int | None:
    """Take down the card of whoever called; None where it is no worker that is missing."""
    hello = _read(other, time.monotonic() + 10.0)
    index, reason = hello.get("index"), ""
    if hello.get("form") != _FORM or not isinstance(index, int):
        reason = "it sent no card"
    elif hello.get("addresses") != list(cluster.addresses):
        reason = f"its cluster is {enumerated(cluster.addresses)}"
    elif not 0 < index < len(cluster.addresses) or index in cards:
        reason = f"it has a worker {index} already"
    if reason:
        _send(other, {"form": _FORM, "refused": reason})
        other.close()
        return None
    number = int(index or 0)
    cards[number] = hello["card"]
    return number


def _bring(cluster: Cluster, card: Card, end: float) -> list[Card]:
    """The part of every other worker."""
    hello = {"form": _FORM, "index": cluster.index, "addresses": list(cluster.addresses)}
    told = time.monotonic() - _TELL_EVERY + 5.0
    while True:
        told = _wait(cluster, [0], end, told)
        try:
            chief = socket.create_connection(_place(cluster.addresses[0]), timeout=5.0)
        except OSError:
            time.sleep(0.5)
            continue
        with chief:
            _send(chief, {**hello, "card": card})
            answer = _read(chief, end)
        if "cards" in answer:
            cards: list[Card] = answer["cards"]
            return cards
        if "refused" in answer:
            raise UsageError(
                f"{cluster.named(0)} does not take this worker in: {answer['refused']}",
                hint="give all workers the same cluster in TF_CONFIG, and each an index of its own",
            )
        if answer:
            raise UsageError(
                f"what answers at {cluster.addresses[0]} is no chief that waits for workers",
                hint="a run that has begun takes no one in: stop all workers, then start all with "
                "--resume RUN",
            )
        time.sleep(0.5)  # the chief ended; it may be started once more


def _wait(cluster: Cluster, missing: list[int], end: float, told: float) -> float:
    """Say from time to time who is missing; `UsageError` when it has been too long."""
    who = enumerated([cluster.named(index) for index in missing], most=3)
    if time.monotonic() > end:
        raise UsageError(
            f"{who} did not come",
            hint="start the same command on every machine, and see that the addresses in TF_CONFIG "
            "can be reached from all of them",
        )
    if time.monotonic() - told < _TELL_EVERY:
        return told
    console.say(f"waiting for {who}", markup=False)
    return time.monotonic()


def _listener(cluster: Cluster) -> socket.socket:
    _, port = _place(cluster.addresses[0])
    try:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        listener = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as fault:
        raise UsageError(
            f"port {port}, the chief's in TF_CONFIG, cannot be listened at: {fault.strerror}",
            hint="give another port, the same to all workers",
        ) from fault
    listener.settimeout(0.5)
    return listener


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_gone(other: socket.socket) -> bool:
    """Whether the other end hung up; nobody sends anything after the card."""
    other.setblocking(False)
    try:
        return not other.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        other.settimeout(5.0)


def _send(other: socket.socket, message: Mapping[str, Any]) -> None:
    try:
        other.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        return  # who has gone meanwhile is missed by TensorFlow


def _read(other: socket.socket, end: float) -> dict[str, Any]:
    """One line of JSON; empty where there is none, a text that is none as `{"strange": True}`."""
    read = bytearray()
    while not read.endswith(b"\n") and len(read) < _LARGEST and time.monotonic() < end:
        other.settimeout(1.0)
        try:
            part = other.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            part = b""
        if not part:
            break
        read += part
    try:
        found = json.loads(read or b"{}")
    except ValueError:
        return {"strange": True}
    return found if isinstance(found, dict) else {"strange": True}

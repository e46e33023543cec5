"""Workers that meet before a run, in threads over loopback."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from loopback import free_addresses

from eactf.cluster import Cluster
from eactf.cluster.meeting import meet
from eactf.errors import UsageError


@pytest.fixture
def addresses():
    """Two free addresses."""
    return free_addresses(2)


def meeting(clusters, patience=20.0):
    """What each of the workers gets, cards or an error."""
    with ThreadPoolExecutor(len(clusters)) as threads:
        tasks = [
            threads.submit(meet, cluster, {"from": number}, patience=patience)
            for number, cluster in enumerate(clusters)
        ]
        return [task.exception() or task.result() for task in tasks]


def test_all_get_the_cards_of_all_in_order(addresses):
    found = meeting([Cluster(addresses, 0), Cluster(addresses, 1)])
    assert found == [[{"from": 0}, {"from": 1}]] * 2


def test_a_worker_that_does_not_come_is_named(addresses):
    (told,) = meeting([Cluster(addresses, 0)], patience=0.6)
    assert isinstance(told, UsageError)
    assert f"worker 1 at {addresses[1]} did not come" in str(told)


def test_a_chief_that_does_not_come_is_named(addresses):
    (told,) = meeting([Cluster(addresses, 1)], patience=0.6)
    assert f"worker 0, the chief, at {addresses[0]} did not come" in str(told)


def test_a_worker_of_another_cluster_is_not_taken_in(addresses):
    stranger = Cluster((*addresses, "127.0.0.1:1"), 1)
    chief, other = meeting([Cluster(addresses, 0), stranger], patience=1.5)
    assert "its cluster is" in str(other)
    assert "did not come" in str(chief)


def test_a_port_that_is_taken_is_told(addresses):
    port = int(addresses[0].rpartition(":")[2])
    with (
        socket.create_server(("", port)),
        pytest.raises(UsageError, match="cannot be listened at"),
    ):
        meet(Cluster(addresses, 0), {}, patience=1.0)


def test_what_answers_without_being_a_chief_is_told(addresses):
    place = ("127.0.0.1", int(addresses[0].rpartition(":")[2]))
    with socket.create_server(place) as listener, ThreadPoolExecutor(1) as threads:
        task = threads.submit(meet, Cluster(addresses, 1), {}, patience=20.0)
        other, _ = listener.accept()
        other.sendall(b"HTTP/1.1 400 Bad Request\n")
        assert "is no chief that waits" in str(task.exception())
        other.close()

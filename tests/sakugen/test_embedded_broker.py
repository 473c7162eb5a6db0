"""The embedded broker of the test fixtures answers, and its port is free afterwards."""

import socket

from sakugen.broker import EmbeddedBroker


def test_the_embedded_broker_accepts_connections_until_it_is_stopped(broker, wait_until):
    socket.create_connection((broker.host, broker.port), timeout=1).close()
    broker.stop()
    wait_until(lambda: _is_refused(broker.host, broker.port))


def test_two_embedded_brokers_run_side_by_side(broker, tmp_path, free_port):
    with EmbeddedBroker(free_port(), tmp_path) as other:
        for each in (broker, other):
            socket.create_connection((each.host, each.port), timeout=1).close()


def _is_refused(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return True
    return False

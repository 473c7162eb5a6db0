"""The embedded broker of the test fixtures answers, and its port is free afterwards."""

import os
import signal
import socket
import subprocess
import sys

from sakugen.broker import EmbeddedBroker


def test_the_embedded_broker_accepts_connections_until_it_is_stopped(broker, wait_until):
    socket.create_connection((broker.host, broker.port), timeout=1).close()
    broker.stop()
    wait_until(lambda: _is_refused(broker.host, broker.port))


def test_two_embedded_brokers_run_side_by_side(broker, tmp_path, free_port):
    with EmbeddedBroker(free_port(), tmp_path) as other:
        for each in (broker, other):
            socket.create_connection((each.host, each.port), timeout=1).close()


def test_a_sigterm_for_the_whole_process_group_leaves_the_broker_to_the_one_who_started_it(free_port, tmp_path):
    # As `timeout` and service managers send it: parts that still have something to send need the broker until the end.
    port = free_port()
    starter = subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(port), str(tmp_path)], stdout=subprocess.PIPE, text=True, process_group=0
    )
    assert starter.stdout.readline() == "listening\n"
    os.killpg(starter.pid, signal.SIGTERM)
    assert starter.stdout.readline() == "still there: True\n"
    assert starter.wait(timeout=20) == 0
    starter.stdout.close()
    assert _is_refused("127.0.0.1", port)


_STARTER = """
import pathlib, signal, subprocess, sys, threading
from sakugen.broker import EmbeddedBroker
asked = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked.set())
with EmbeddedBroker(int(sys.argv[1]), pathlib.Path(sys.argv[2])) as broker:
    print("listening", flush=True)
    asked.wait(20)
    try:
        broker._broker._process.wait(1)  # it had the same signal, and a second to end by it
    except subprocess.TimeoutExpired:
        pass
    print("still there:", broker._broker.is_running, flush=True)
"""


def _is_refused(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return True
    return False

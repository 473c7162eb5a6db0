"""The real peers come up, and come up again after a kill."""

import http.client

import pytest

pytestmark = pytest.mark.real


def test_mosquitto_answers_again_after_it_was_killed(mosquitto):
    mosquitto.kill()
    mosquitto.start()
    assert mosquitto.process.poll() is None


def test_influxd_keeps_its_databases_over_a_kill(influxd):
    assert "plants" not in _query(influxd, "SHOW+DATABASES")
    _query(influxd, "CREATE+DATABASE+plants")
    influxd.kill()
    influxd.start()
    assert "plants" in _query(influxd, "SHOW+DATABASES")


def _query(influxd, statement):
    connection = http.client.HTTPConnection(influxd.host, influxd.port, timeout=5)
    try:
        connection.request("POST", f"/query?q={statement}")
        return connection.getresponse().read().decode()
    finally:
        connection.close()

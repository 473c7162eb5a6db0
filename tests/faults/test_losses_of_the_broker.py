"""Crash table, the broker's row: whatever it or the network loses is sent again."""

import pytest
from faultkit.proxy import Way
from faultkit.verdict import assert_nothing_is_lost

from metering import record

pytestmark = pytest.mark.fault

BROKERS = pytest.mark.parametrize(
    "rig_broker",
    ["embedded", pytest.param("mosquitto", marks=pytest.mark.real)],
    indirect=True,
)


@BROKERS
def test_what_a_killed_broker_held_is_sent_again_to_the_empty_one_that_follows(rig):
    rig.start()
    rig.read_on(2)
    rig.ingest_proxy.swallow(Way.DOWN)
    rig.read_on(4)
    rig.wait_until(lambda: len(_lost(rig.ingest_proxy, Way.DOWN, "/log")) >= 2)
    rig.broker.kill()
    rig.broker.start()
    rig.ingest_proxy.heal()
    rig.read_on(2)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert all(rig.ingest_proxy.arrivals(Way.DOWN, lost.digest) for lost in _lost(rig.ingest_proxy, Way.DOWN, "/log"))


@pytest.mark.parametrize(
    ("line", "way", "suffix", "count"),
    [
        pytest.param("gateway", Way.UP, "/log", 3, id="records on their way to the broker"),
        pytest.param("ingest", Way.DOWN, "/log", 3, id="records on their way to ingest"),
        pytest.param("ingest", Way.UP, "/ack", 3, id="acks on their way to the broker"),
        pytest.param("gateway", Way.DOWN, "/ack", 3, id="acks on their way to the gateway"),
    ],
)
def test_packets_that_vanish_from_a_living_connection_are_sent_again(rig, line, way, suffix, count):
    proxy = rig.box.proxy if line == "gateway" else rig.ingest_proxy
    rig.start()
    rig.read_on(2)
    proxy.lose(way, suffix, count)
    rig.wait_until(lambda: len(_lost(proxy, way, suffix)) == count, 30)
    rig.read_on(2)
    rig.finish()
    assert_nothing_is_lost(rig)
    if suffix == "/log":
        assert all(proxy.arrivals(way, lost.digest) for lost in _lost(proxy, way, suffix))


# paho sends no more than 20 unconfirmed messages on one connection, for ever, though the connection lives.


def test_a_gateway_whose_broker_leaves_records_unconfirmed_connects_again_and_goes_on(rig):
    rig.box.part.choose("constant.py", "gateway.publisher:CONFIRM_WITHIN_S", "3")
    _assert_connects_again(rig, rig.box.proxy, "/log")


def test_an_ingest_whose_broker_leaves_acks_unconfirmed_connects_again_and_goes_on(rig):
    rig.ingest.choose("constant.py", "ingest.consumer:CONFIRM_WITHIN_MS", "3000")
    _assert_connects_again(rig, rig.ingest_proxy, "/ack")


def _assert_connects_again(rig, proxy, suffix):
    rig.start()
    rig.read_on(2)
    connections = proxy.accepted
    proxy.lose(Way.UP, suffix, 1000)
    rig.wait_until(lambda: proxy.accepted > connections, 20)
    assert _lost(proxy, Way.UP, suffix)
    proxy.heal()
    rig.finish()
    assert_nothing_is_lost(rig)


def test_a_connection_that_is_deaf_one_way_and_then_ends_loses_nothing(rig):
    rig.start()
    rig.read_on(2)
    rig.box.proxy.swallow(Way.UP)
    rig.ingest_proxy.swallow(Way.UP)
    rig.read_on(4)
    rig.box.proxy.heal()
    rig.ingest_proxy.heal()
    rig.read_on(2)
    rig.finish()
    assert_nothing_is_lost(rig)


def test_a_connection_that_stands_still_delays_and_loses_nothing(rig):
    rig.start()
    rig.read_on(2)
    rig.box.proxy.stall()
    rig.ingest_proxy.stall()
    rig.read_on(4)
    rig.box.proxy.heal()
    rig.ingest_proxy.heal()
    rig.finish()
    assert_nothing_is_lost(rig)


@pytest.mark.parametrize("line", ["gateway", "ingest"])
def test_a_record_that_is_delivered_twice_is_journalled_once(rig, line):
    proxy, way = (rig.box.proxy, Way.UP) if line == "gateway" else (rig.ingest_proxy, Way.DOWN)
    rig.start()
    rig.read_on(2)
    proxy.double(way, "/log", 3)
    # A broker may end a connection on which one message is confirmed twice, and deliver again on the next one.
    rig.wait_until(lambda: len(_more_than_once(proxy, way)) >= 3, 30)
    rig.read_on(2)
    rig.finish()
    assert_nothing_is_lost(rig)


@pytest.mark.parametrize("line", ["gateway", "ingest"])
def test_records_that_overtake_each_other_are_sent_again_and_journalled_in_order(rig, line):
    proxy, way = (rig.box.proxy, Way.UP) if line == "gateway" else (rig.ingest_proxy, Way.DOWN)
    rig.start()
    rig.read_on(2)
    proxy.swap(way, "/log", 2)
    rig.wait_until(lambda: sum(not each.passed for each in proxy.passages(way, "/log")) == 2, 30)
    rig.read_on(4)
    proxy.heal()
    rig.read_on(2)
    rig.finish()
    assert_nothing_is_lost(rig)
    seqs = [record.parse(each.payload).seq for each in proxy.passages(way, "/log") if each.passed]
    assert seqs != sorted(seqs)
    assert [row.seq for row in rig.journal.rows()] == list(range(1, len(rig.journal.rows()) + 1))


def test_a_line_of_two_kilobytes_a_second_delays_and_loses_nothing(rig):
    rig.start()
    rig.read_on(2)
    rig.box.proxy.slow_down(2000)
    rig.read_on(20)
    waiting = rig.box.book.unacknowledged()
    rig.box.proxy.heal()
    rig.finish()
    assert waiting > 2
    assert_nothing_is_lost(rig)


def _more_than_once(proxy, way):
    return {each.digest for each in proxy.passages(way, "/log") if proxy.arrivals(way, each.digest) > 1}


def _lost(proxy, way, suffix):
    return [each for each in proxy.passages(way, suffix) if not each.passed]

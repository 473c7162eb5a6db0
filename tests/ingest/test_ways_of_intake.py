"""The fast way and the long one, one thread and several: what is written and answered is the same."""

import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest import decode, intake
from ingest.intake import Intake
from ingest.store.journal import Journal
from metering import record
from metering.keys import KeyRing

NOW_MS = 1_766_600_000_000


@pytest.fixture
def traffic(gateway, new_gateway):
    """What three gateways send, with repeats, forks, gaps in the numbers and nonsense in between; and their keys."""
    chance = random.Random(7)
    gateways = [gateway, new_gateway("gw-2"), new_gateway("gw-3")]
    messages = []
    for one in gateways:
        own = [one.birth(), *(one.readings(slot, slot + 1) for slot in range(1, 60, 2)), one.gap(70, 71)]
        own.append(one.dropped(one.seq + 1, one.seq + 2, "e" * 64, one.prev))
        own.append(one.readings(80, energy=[None]))
        one.prev = "f" * 64
        own.append(one.readings(81))  # a fork
        for _ in range(10):
            own.insert(chance.randrange(len(own)), chance.choice(own))
        messages.append([(one.topic, data) for data in own])
        messages[-1].insert(5, (one.topic, own[0][:-9]))
    mixed = []
    while any(messages):
        mixed.append(chance.choice([own for own in messages if own]).pop(0))
    return mixed, KeyRing([entry for one in gateways for entry in one.ring.entries])


def take(path, traffic, *how, takers=None):
    """What is answered, and every row that is written."""
    messages, ring = traffic
    with Journal.open(path, NOW_MS) as journal:
        taker = Intake(journal, 10**6, *how)
        (takers if takers is not None else []).append(taker)
        outcomes = [*taker.take(messages[:40], ring, NOW_MS), *taker.take(messages[40:], ring, NOW_MS)]
    with sqlite3.connect(path) as db:
        tables = ("records", "heads", "forks", "refused", "refused_counts", "holes", "incidents")
        rows = {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in tables}
    db.close()
    return outcomes, rows


def test_the_fast_way_writes_what_the_long_one_writes(tmp_path, traffic, monkeypatch):
    asked = []
    monkeypatch.setattr(intake.validate, "decide", _counting(intake.validate.decide, asked))
    fast = take(tmp_path / "fast", traffic)
    by_the_long_way = len(asked)
    monkeypatch.setattr(decode, "read", lambda _: None)
    assert take(tmp_path / "long", traffic) == fast
    assert len(asked) - by_the_long_way > by_the_long_way + 60, "most records took the fast way"


def _counting(decide, asked):
    def counted(*arguments):
        asked.append(arguments)
        return decide(*arguments)

    return counted


def test_several_threads_change_nothing(tmp_path, traffic):
    with ThreadPoolExecutor(3) as pool:
        assert take(tmp_path / "three", traffic, pool, 3) == take(tmp_path / "one", traffic)


def test_births_are_kept_up_to_a_limit_and_read_again_beyond_it(tmp_path, traffic, monkeypatch):
    unlimited = take(tmp_path / "all", traffic)
    monkeypatch.setattr(intake, "_BIRTHS_KEPT_BYTES", 1)
    monkeypatch.setattr(intake, "_GROUPS_KEPT", 1)
    kept = []
    parse = record.parse

    def parsed(data):
        kept.append(data)
        return parse(data)

    monkeypatch.setattr(record, "parse", parsed)
    takers = []
    assert take(tmp_path / "one", traffic, takers=takers) == unlimited
    assert (len(takers[0]._births), len(takers[0]._shapes)) == (1, 1)
    assert len(kept) > 3

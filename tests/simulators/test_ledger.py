"""The ledger: complete after an orderly end, readable while it is written."""

import pytest

from simulators.ledger import Ledger, ServedAnswer, count_served, read_ledger


def answer(served_ms=1_000, project="demo-solar", words=b"\x00\x01"):
    return ServedAnswer(served_ms, project, "mongolia-farm", "ac-bus", 10, 3, 0x0C87, words)


def test_what_was_appended_is_read_back_in_order(tmp_path):
    entries = [answer(3), answer(1, words=b"\xff\xfe\x00\x00"), answer(2, project="demo-boiler")]
    with Ledger(tmp_path / "new" / "ledger.sqlite") as ledger:
        for entry in entries:
            ledger.append(entry)
    assert list(read_ledger(tmp_path / "new" / "ledger.sqlite")) == entries
    assert list(read_ledger(tmp_path / "new" / "ledger.sqlite", "demo-boiler")) == entries[2:]


def test_committed_answers_are_visible_while_the_ledger_is_open(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.append(answer())
        assert count_served(path) == 0
        ledger.commit()
        ledger.append(answer())
        assert count_served(path) == 1
    assert count_served(path, "demo-solar") == 2


def test_a_second_start_adds_to_what_is_there(tmp_path):
    for _ in range(2):
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            ledger.append(answer())
    assert count_served(tmp_path / "ledger.sqlite") == 2


def test_appending_to_a_closed_ledger_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="not open"):
        Ledger(tmp_path / "ledger.sqlite").append(answer())

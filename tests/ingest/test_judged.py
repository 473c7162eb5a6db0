"""Reading judged records without the rules gives what reading them with all rules gives."""

import random
from pathlib import Path

import numpy as np
import pytest

from ingest.intake import Intake
from ingest.store import judged
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from ingest.store.readings import collect
from ingest.store.series import Series
from metering import record
from metering.errors import RecordError

GOLDEN = Path(__file__).parents[1] / "golden" / "record-1"
RIGHT = sorted(case for case in GOLDEN.iterdir() if not (case / "expected_error.txt").exists())


def assert_same(one, other):
    """The same evidence, whichever way it was read."""
    for name in ("births", "maps", "digest", "runs", "excluded", "horizons"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.keys() == other.keys()
    for key in one.keys():  # noqa: SIM118 - not a dict
        for name in Series.__slots__:
            mine, others = getattr(one.series(*key), name), getattr(other.series(*key), name)
            if name == "raw_text":
                mine, others = [*mine], [*others]
            assert np.array_equal(mine, others) if isinstance(mine, np.ndarray) else mine == others, (key, name)
            assert getattr(mine, "dtype", None) == getattr(others, "dtype", None), (key, name)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_every_right_golden_record_reads_the_same(case):
    data = (case / "record.note").read_bytes()
    fast, whole = judged.read(data), record.parse(data)
    for name in type(whole).model_fields:
        if name != "groups" or not isinstance(whole, record.Readings):
            assert getattr(fast, name) == getattr(whole, name), name
    assert_same(collect([data], judged=True), collect([data]))


def test_whatever_a_journal_appended_gives_the_same_evidence(tmp_path, gateway, slot_ms):
    rng = random.Random(5)
    path = tmp_path / "journal.sqlite"
    sent, after = [], None
    for _ in range(4):
        sent.append(gateway.birth(after))
        for _ in range(20):
            slots = sorted(rng.sample(range(1, 60), rng.randint(0, 5)))
            energy = [rng.choice([None, 0, rng.randint(0, 10**9)]) for _ in slots]
            sent.append(gateway.readings(*slots, energy=energy, quality=rng.choice([1, 3, 5])))
            if rng.random() < 0.2:
                first = rng.randrange(50)
                sent.append(gateway.gap(first, first + rng.randint(1, 5)))
        after = gateway.ref()
        gateway.new_stream()
    sent.append(gateway.horizon(3, "d" * 64))
    with Journal.open(path, slot_ms(0)) as journal:
        Intake(journal, 10_000).take([(gateway.topic, data) for data in sent], gateway.ring, slot_ms(0))
    stored = [row.data for row in JournalReader(path).records("demo", 0, 1 << 60)]
    assert len(stored) > 80
    assert_same(collect(stored, judged=True), collect(stored))


def test_a_record_that_does_not_fit_the_birth_it_is_read_with_is_excluded_here_too(gateway):
    birth = gateway.birth()
    readings = gateway.readings(1)
    gateway.new_stream()
    other = gateway.birth(points=[])
    alien = record.Readings.model_validate_json(readings.split(b"\n")[0])
    misfit = record.build(alien.model_copy(update={"stream": gateway.stream, "prev": gateway.prev}), gateway.signer)
    evidence = collect([birth, readings, other, misfit], judged=True)
    assert [excluded.reason for excluded in evidence.excluded] == ["shape"]
    assert_same(evidence, collect([birth, readings, other, misfit]))


def test_a_record_that_a_journal_gives_twice_counts_once(gateway):
    sent = [gateway.birth(), gateway.readings(1), gateway.readings(2)]
    assert_same(collect([*sent[:2], *sent[1:]], judged=True), collect(sent))


def test_records_of_a_journal_out_of_its_order_are_refused_and_not_read_wrong(gateway):
    birth, first, second = gateway.birth(), gateway.readings(1), gateway.readings(2)
    with pytest.raises(ValueError, match="must come by stream and number"):
        collect([birth, second, first], judged=True)


def test_what_several_gateways_no_longer_hold_is_told_in_one_order(gateway):
    birth = gateway.birth()
    told = [gateway.horizon(2, "d" * 64), gateway.horizon(3, "e" * 64)]
    for order in (told, told[::-1]):
        assert_same(collect([*order, birth], judged=True), collect([birth, *told]))


def test_a_number_that_64_bits_do_not_hold_is_no_record(gateway):
    birth, readings = gateway.birth(), gateway.readings(1, energy=[7])
    assert b"[[7000" in readings
    with pytest.raises(RecordError):
        collect([birth, readings.replace(b"[[7000", b"[[99999999999999999999")], judged=True)


@pytest.mark.parametrize("damage", [b'{"kind":"readings"}\n\n', b"[]\n\n", b"\xff\n", b"", b'{"kind":"readings"'])
def test_what_a_disk_has_changed_is_called_no_record_as_ever(gateway, damage):
    with pytest.raises(RecordError):
        judged.read(damage)
    birth, readings = gateway.birth(), gateway.readings(1)
    with pytest.raises(RecordError):
        collect([birth, readings.replace(b'"values":[[', b'"values":[[[')], judged=True)

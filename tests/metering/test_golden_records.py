"""Every golden record and ack: read for ever as it was read when it was written, or refused for the same reason."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from metering import ack, note, record
from metering.errors import NoteError, RecordError

GOLDEN = Path(__file__).parents[1] / "golden"


def cases(contract, outcome):
    return [pytest.param(path.parent, id=path.parent.name) for path in sorted((GOLDEN / contract).glob(f"*/{outcome}"))]


def verifier_of(case):
    return note.Verifier.parse((case / "public_key.txt").read_text())


def read_record(case):
    data = (case / "record.note").read_bytes()
    parts = record.split(data)
    try:
        note.verify(parts, verifier_of(case))
    except NoteError as error:
        raise RecordError("signature", str(error)) from None
    return data, record.parse_body(parts.text)


def read_ack(case):
    data = (case / "ack.note").read_bytes()
    return data, ack.parse(data, (verifier_of(case),))


READERS = {"record-1": read_record, "ack-1": read_ack}
GOOD = [(read, case) for contract, read in READERS.items() for case in cases(contract, "expected.json")]
BROKEN = [(read, case) for contract, read in READERS.items() for case in cases(contract, "expected_error.txt")]


def together(pairs):
    return [pytest.param(read, *case.values, id=f"{case.values[0].parent.name}-{case.id}") for read, case in pairs]


@pytest.mark.parametrize(("read", "case"), together(GOOD))
def test_a_golden_case_reads_as_it_was_written(read, case):
    data, document = read(case)
    expected = json.loads((case / "expected.json").read_text())
    assert hashlib.sha256(data).hexdigest() == expected["digest"]
    assert json.loads(document.model_dump_json(by_alias=True)) == expected["body"]


@pytest.mark.parametrize(("read", "case"), together(BROKEN))
def test_a_broken_golden_case_is_refused_for_its_reason(read, case):
    reason, part = (case / "expected_error.txt").read_text().splitlines()
    with pytest.raises(RecordError, match=re.escape(part)) as caught:
        read(case)
    assert caught.value.reason == reason


def test_there_is_a_golden_record_of_every_kind():
    kinds = {read_record(case.values[0])[1].kind for case in cases("record-1", "expected.json")}
    assert kinds == {"birth", "readings", "gap", "dropped", "thinned", "horizon"}


def test_every_golden_case_is_walked():
    walked = {case.values[0] for _, case in GOOD + BROKEN}
    assert walked == {path for contract in READERS for path in (GOLDEN / contract).iterdir()}


def test_the_golden_stream_is_one_chain_in_which_what_was_given_up_is_replaced():
    names = ["birth", "readings", "gap", "dropped", "readings-after-dropped", "thinned", "birth-after-reload"]
    head = None
    seq = 0
    for name in [*names, "gap-in-all-groups"]:
        data, document = read_record(GOLDEN / "record-1" / name)
        assert (document.prev, document.seq) == (head, seq + 1)
        given_up = isinstance(document, record.Dropped)
        head = document.replaces if given_up else record.digest_of(data)
        seq = document.through if given_up else document.seq
    _, following = read_record(GOLDEN / "record-1" / "birth-of-the-next-stream")
    assert (following.after.seq, following.after.digest) == (seq, head)


def test_the_golden_readings_are_what_their_raw_words_say():
    _, birth = read_record(GOLDEN / "record-1" / "birth")
    _, readings = read_record(GOLDEN / "record-1" / "readings")
    assert record.misfit(readings, birth) is None

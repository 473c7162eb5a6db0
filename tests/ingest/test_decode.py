"""One contract over both JSON readers: what the fast one takes, metering's takes to the same effect."""

import json
import random
from pathlib import Path

import pytest

from ingest import decode, validate
from metering import record
from metering.errors import RecordError

GOLDEN = Path(__file__).parents[1] / "golden" / "record-1"
CASES = sorted(path.parent for path in GOLDEN.glob("*/record.note"))
HOSTILE = [
    None, True, False, 0, -1, 1, 1.0, 0.5, -0.0, 1e300, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1,
    253_402_300_800_000, "", "x", "é", "birth", "late-read", "ingest", "\ud800",
    "AAAA", "AAA=", "A===", "AAAAAAAAAAAAAAAAAAAA", "AAAA!AAAAAAAAAAAA", "=",
    [], [None], [0], [[]], [[0, 0, 0]], [[0, 0, 7]], [[0, 0, 6]], [[0, 0, 1], [0, 0, 1]], {}, {"state": "synchronised"},
]  # fmt: skip


def text_of(document):
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass") + b"\n"


def judge(text, birth):
    """What both say; where the fast one says yes, it says the same."""
    plain = decode.read(text)
    if plain is None:
        return None
    body = record.parse_body(text)
    assert isinstance(body, record.Readings)
    assert plain.header == record.parse_header(text)
    assert plain.slots_ms == validate.slots_of(body)
    if decode.fits(plain, birth):
        assert record.misfit(body, record.parse((GOLDEN / "birth" / "record.note").read_bytes())) is None
    return plain


@pytest.fixture
def birth():
    """The golden birth's shape."""
    return decode.shape_of(record.split((GOLDEN / "birth" / "record.note").read_bytes()).text)


@pytest.fixture
def golden():
    """The golden readings, as our gateway spells them."""
    return json.loads(record.split((GOLDEN / "readings" / "record.note").read_bytes()).text)


def test_readings_as_our_gateway_writes_them_are_read(golden, birth):
    plain = judge(text_of(golden), birth)
    assert plain.header.seq == golden["seq"]
    assert decode.fits(plain, birth)
    rows = [len(group["values"]) for group in golden["groups"]]
    assert [(part.group, part.rows) for part in plain.parts] == [("meter-1/minute", rows[0])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_readers_agree_on_each_golden_record(case, birth):
    try:
        text = record.split((case / "record.note").read_bytes()).text
    except RecordError:
        return
    judge(text, birth)


def places(node, path=()):
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def changed(node, path, value):
    if not path:
        return value
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = changed(node[path[0]], path[1:], value)
    return copy


def test_whatever_stands_anywhere_in_a_record_both_readers_agree(golden, birth):
    taken = 0
    for path in places(golden):
        for value in HOSTILE:
            taken += judge(text_of(changed(golden, path, value)), birth) is not None
    assert taken > 100  # other numbers where any number may stand


def test_a_key_more_or_less_anywhere_is_not_taken(golden, birth):
    for path in places(golden):
        node = golden
        for key in path:
            node = node[key]
        if isinstance(node, dict):
            assert judge(text_of(changed(golden, path, node | {"more": 1})), birth) is None
            for key in node:
                less = {name: value for name, value in node.items() if name != key}
                assert judge(text_of(changed(golden, path, less)), birth) is None
        if isinstance(node, list):
            judge(text_of(changed(golden, path, [*node, *node[-1:]])), birth)
            judge(text_of(changed(golden, path, node[:-1])), birth)


def test_whatever_byte_is_altered_both_readers_agree(golden, birth):
    chance = random.Random(4)
    text = text_of(golden)
    for _ in range(3000):
        altered = bytearray(text)
        altered[chance.randrange(len(text) - 1)] = chance.choice(b'0123456789-+.eE,:"[]{}\\ntfalsrue \x7f\x80\xc3')
        judge(bytes(altered), birth)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"mono_ms":', b'"mono_ms":1,"mono_ms":', id="a key twice"),
        pytest.param(b'"offset_ms":', b'"offset_ms":0,"offset_ms":', id="a key twice within"),
        pytest.param(b'"kind":"readings"', b'"kind": "readings"', id="a space"),
        pytest.param(b'"kind":"readings"', b'"kind":"\\u0072eadings"', id="another spelling"),
        pytest.param(b'"sent":[', b'"sent":[NaN,', id="NaN"),
        pytest.param(b'"sent":[', b'"sent":[-0,', id="minus nothing"),
        pytest.param(b'"sent":[', b'"sent":[18446744073709551616,', id="beyond 64 bits"),
        pytest.param(b'"sent":[', b'"sent":[1e400,', id="infinite"),
        pytest.param(b'"sent":[', b'"sent":[' + b"[" * 2000 + b"]" * 2000 + b",", id="deep"),
        pytest.param(b"meter-1", b"meter-\xff", id="not UTF-8"),
        pytest.param(b"meter-1", b"meter-\\ud800", id="half a letter"),
    ],
)
def test_what_json_parsers_differ_on_is_left_to_metering(golden, old, new):
    text = text_of(golden)
    assert old in text
    assert decode.read(text.replace(old, new, 1)) is None


def test_readings_that_do_not_fit_their_birth_are_left_to_metering(golden, birth):
    plain = decode.read(text_of(golden))
    (name, (rows, raw_bytes)) = next(iter(birth.groups.items()))
    for groups in ({}, {name: (rows + 1, raw_bytes)}, {name: (rows, raw_bytes + 2)}):
        assert not decode.fits(plain, decode.Shape("p", groups))


def test_no_words_at_all_fit_any_birth(golden, birth):
    part = golden["groups"][0]
    part["raw"] = [""] * len(part["raw"])
    assert decode.fits(judge(text_of(golden), birth), birth)


@pytest.mark.parametrize("name", ["birth", "birth-after-reload", "birth-of-the-next-stream"])
def test_a_births_shape_is_what_the_model_says(name):
    data = (GOLDEN / name / "record.note").read_bytes()
    model = record.parse(data)
    groups = {one.group: (len(one.points), 2 * sum(block.count for block in one.blocks)) for one in model.groups}
    assert decode.shape_of(record.split(data).text) == decode.Shape(model.project, groups)


def test_a_birth_that_orjson_cannot_read_has_no_shape():
    assert decode.shape_of(b"{\n") is None

"""The canonical form has no second way to write anything, and no float at all."""

import pytest

from registry.canonical import canonical_bytes, parse_canonical, parse_object
from registry.errors import CanonicalError


def test_keys_are_ordered_and_nothing_is_spaced():
    assert canonical_bytes({"b": [1, None, True], "a": "削減"}) == '{"a":"削減","b":[1,null,true]}'.encode()


@pytest.mark.parametrize("value", [{"a": 1.0}, {"a": [{"b": 0.1}]}, [float("nan")]])
def test_a_float_is_refused_where_it_stands(value):
    with pytest.raises(CanonicalError, match="floating-point"):
        canonical_bytes(value)


def test_an_integer_that_other_languages_would_round_is_refused():
    with pytest.raises(CanonicalError, match="not canonical JSON"):
        canonical_bytes({"a": 2**53})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"b":1,"a":2}', "canonical form"),
        (b'{"a": 1}', "canonical form"),
        (b'{"a":1}\n', "canonical form"),
        (b'{"a":1.5}', "floating-point"),
        (b'{"a":NaN}', "floating-point"),
        (b'{"a":1,"a":1}', "twice"),
        (b"[1]", "object"),
        (b'{"a":', "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "32 levels"),
        (b'{"a":"\\ud800"}', "not canonical JSON"),
        (b'{"a":9007199254740992}', "not canonical JSON"),
    ],
)
def test_other_bytes_are_refused_and_told_why(data, why):
    with pytest.raises(CanonicalError, match=why):
        parse_canonical(data)


def test_what_was_written_is_read_back():
    document = {"a": {"b": ["0.100000000", 7]}}
    assert parse_canonical(canonical_bytes(document)) == document
    assert parse_object(b' {"a": 1} ') == {"a": 1}


@pytest.mark.parametrize(
    "data", [b'{"a":"\\ud800"}', b'{"a":9007199254740992}', b'{"a":' + b"[" * 32 + b"]" * 32 + b"}"]
)
def test_what_cannot_be_written_is_not_read_either(data):
    with pytest.raises(CanonicalError, match=r"canonical|levels"):
        parse_object(data)

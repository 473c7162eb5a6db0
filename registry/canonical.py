"""Values in, RFC 8785 canonical bytes out, and back; the profile has no floating-point numbers at all.

A statement is named by the SHA-256 of its bytes, so there is exactly one way to write it. Amounts are decimal strings;
JSON numbers are used for counts, years, milliseconds and whole tonnes only.

References:
    RFC 8785, JSON Canonicalization Scheme; RFC 7493, I-JSON.
"""

import hashlib
import json
from typing import NoReturn, TypeAlias, cast

import rfc8785

from registry.errors import CanonicalError

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

_MAX_LEVELS = 32  # a statement has seven; what a stranger sends must not exhaust the stack


def digest_of(data: bytes) -> str:
    """Name bytes by their SHA-256 [lower-case hex]."""
    return hashlib.sha256(data).hexdigest()


def canonical_bytes(value: JsonValue) -> bytes:
    """Write a value in its one canonical form.

    Raises:
        CanonicalError: for a float, an integer beyond 2**53 - 1, half a surrogate pair, or too many levels.
    """
    _refuse_floats(value, "", _MAX_LEVELS)
    try:
        return bytes(rfc8785.dumps(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as fault:
        raise CanonicalError(f"not canonical JSON: {fault}") from fault


def parse_canonical(data: bytes) -> JsonObject:
    """Read an object back and insist that its bytes are the canonical ones.

    Raises:
        CanonicalError: when the bytes are not JSON, not an object, hold a float or a key twice, or are not canonical.
    """
    document = parse_object(data)
    if canonical_bytes(document) != data:
        raise CanonicalError(
            "the bytes are JSON but not in RFC 8785 canonical form (spacing, order of keys or escapes)"
        )
    return document


def parse_object(data: bytes) -> JsonObject:
    """Read a JSON object of the profile, in whatever form it is written.

    Raises:
        CanonicalError: when the bytes are not JSON, not an object, or hold a key twice or what the profile cannot.
    """
    try:
        value = json.loads(
            data.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_no_repeats
        )
    except (ValueError, RecursionError) as fault:
        raise CanonicalError(f"not JSON: {fault}") from fault
    if not isinstance(value, dict):
        raise CanonicalError("a JSON object was expected")
    canonical_bytes(value)  # so that whoever reads it can also write it
    return cast("JsonObject", value)


def _refuse_floats(value: JsonValue, pointer: str, levels: int) -> None:
    if levels == 0:
        raise CanonicalError(f"nested more than {_MAX_LEVELS} levels deep")
    # rfc8785 would write 1.0 as 1 and 0.1 + 0.2 with seventeen digits: both are a wrong number in a signed document.
    if isinstance(value, float):
        raise CanonicalError(f"{pointer or '/'} is a floating-point number; amounts are decimal strings")
    if isinstance(value, dict):
        for key, member in value.items():
            _refuse_floats(member, f"{pointer}/{key}", levels - 1)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            _refuse_floats(member, f"{pointer}/{index}", levels - 1)


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text} is a floating-point number; amounts are decimal strings")


def _no_repeats(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return members

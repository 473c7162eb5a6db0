"""ULIDs (26 Crockford base32 letters, sortable by time): the names of streams, journals and ingest runs."""

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PATTERN = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
_RANDOM_BITS = 80
_LIMIT = 1 << 128


def _encode(number: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def _decode(text: str) -> int:
    number = 0
    for letter in text:
        number = number * 32 + _ALPHABET.index(letter)
    return number


def new_ulid(now_ms: int, above: str | None = None) -> str:
    """Draw a ULID.

    Args:
        now_ms: the wall clock [ms since the Unix epoch].
        above: a ULID that the new one must exceed, even when the clock has gone back.

    Returns:
        26 letters that sort by time.
    """
    number = ((now_ms & ((1 << 48) - 1)) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    if above is not None and number <= (floor := _decode(above)):
        number = floor + 1 + secrets.randbits(32)
    if number >= _LIMIT:
        raise OverflowError("no ULID is left above the one given")
    return _encode(number)

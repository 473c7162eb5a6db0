"""A place in a list and the question that the list answers in, one opaque word out, and back.

A cursor names the last row shown, not a page number, so a list stays right while rows arrive. It carries a checksum
over the question, so a cursor from another list is refused instead of giving a wrong page.
"""

import base64
import binascii
import hashlib

from registry.api.problems import CURSOR_INVALID, ProblemError

_CHECK_BYTES = 6


def encode_cursor(after: int, question: str) -> str:
    """Write a cursor.

    Args:
        after: the place of the last row shown.
        question: the filters of the list.
    """
    body = after.to_bytes(8)
    return base64.urlsafe_b64encode(_checksum(body, question) + body).decode().rstrip("=")


def decode_cursor(cursor: str, question: str) -> int:
    """Read a cursor.

    Raises:
        ProblemError: when it was not made for this question.
    """
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):
        data = b""
    check, body = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
    if len(body) != 8 or check != _checksum(body, question):
        raise ProblemError(CURSOR_INVALID, "take `next` from a page of this same list, or leave the cursor out")
    return int.from_bytes(body)


def _checksum(body: bytes, question: str) -> bytes:
    return hashlib.sha256(question.encode() + b"\0" + body).digest()[:_CHECK_BYTES]

"""Two JSON documents in, every place where they differ out: RFC 6901 pointer and both values."""

from collections.abc import Iterator
from dataclasses import dataclass

from registry.canonical import JsonValue, canonical_bytes

_SHOWN = 120  # characters of a value in a message; whole tables would hide what differs


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a document says something else than was found."""

    pointer: str
    """Where, as a JSON pointer."""
    stated: str
    """What the document says, as JSON, or "absent"."""
    found: str
    """What was found, as JSON, or "absent"."""

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.pointer or '/'}: stated {self.stated}, found {self.found}"


def differences(stated: JsonValue, found: JsonValue, pointer: str = "") -> Iterator[Difference]:
    """Walk two documents side by side.

    Args:
        stated: the document under check.
        found: what it should say.
        pointer: where both sit in the whole.

    Yields:
        One difference per leaf, in the order of the keys.
    """
    if isinstance(stated, dict) and isinstance(found, dict):
        for key in sorted(stated.keys() | found.keys()):
            inner = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from _member(stated, found, key, inner)
    elif isinstance(stated, list) and isinstance(found, list):
        for index in range(max(len(stated), len(found))):
            inner = f"{pointer}/{index}"
            if index >= len(stated):
                yield Difference(inner, "absent", _shown(found[index]))
            elif index >= len(found):
                yield Difference(inner, _shown(stated[index]), "absent")
            else:
                yield from differences(stated[index], found[index], inner)
    elif type(stated) is not type(found) or stated != found:  # type first: in Python True equals 1, in JSON it does not
        yield Difference(pointer, _shown(stated), _shown(found))


def _member(stated: dict[str, JsonValue], found: dict[str, JsonValue], key: str, pointer: str) -> Iterator[Difference]:
    if key not in stated:
        yield Difference(pointer, "absent", _shown(found[key]))
    elif key not in found:
        yield Difference(pointer, _shown(stated[key]), "absent")
    else:
        yield from differences(stated[key], found[key], pointer)


def _shown(value: JsonValue) -> str:
    text = canonical_bytes(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"

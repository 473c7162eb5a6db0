"""Held records that can be used now: this software is newer, or their birth has come after all.

In go held records, out come the same bytes with the status `appended`, and a row that says when and why they were held.
Each is looked at by the rules that held it (`validate.unusable`); one that is still of no use stays held.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest import births, validate
from ingest.store.journal import Journal, NewRecord, StreamKey
from ingest.store.readings import chain_end
from ingest.validate import Authentic, StreamView
from metering import record
from metering.errors import RecordError
from metering.keys import KeyRing
from metering.topics import log_topic

_PAGE = 32
"""At most 1 MiB each."""
_Held = tuple[int, bytes, str, int]
"""The journal's `id` of a record, its bytes, why it is held, when it came."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A record that can be used now."""

    key: StreamKey
    seq: int
    digest: str


def everything(journal: Journal, ring: KeyRing, now_ms: int) -> list[Replayed]:
    """Look at every held record again, one transaction a page.

    Args:
        journal: open for writing.
        ring: the keys that are trusted: a former key may turn out to have counted when a record came.
        now_ms: when this is done [ms since the Unix epoch].
    """
    found: list[Replayed] = []
    for page in _pages(journal, None):
        with journal.transaction():
            found += _page(journal, page, ring, now_ms)
    return found


def stream(journal: Journal, key: StreamKey, now_ms: int) -> list[Replayed]:
    """Look at the held records of one stream again, in the caller's transaction; those by a former key stay held."""
    return [done for page in _pages(journal, key) for done in _page(journal, page, KeyRing(()), now_ms)]


def _pages(journal: Journal, key: StreamKey | None) -> Iterator[list[_Held]]:
    for of_births in (True, False):  # readings are judged by their birth, which may be held too
        after = 0
        while page := journal.held_after(after, _PAGE, key, births=of_births):
            yield page
            after = page[-1][0]


def _page(journal: Journal, page: list[_Held], ring: KeyRing, now_ms: int) -> list[Replayed]:
    known: dict[str, record.Birth] = {}
    return [
        done
        for row_id, data, reason, received_ms in page
        if reason != validate.KEY_RETIRED or _counted(data, ring, received_ms)
        if (done := _look(journal, row_id, data, known, now_ms)) is not None
    ]


def _counted(data: bytes, ring: KeyRing, received_ms: int) -> bool:
    """Whether the key of a record counted when it came, by what is known of keys today."""
    topic = log_topic(record.parse_header(record.split(data).text).gateway_id)
    found = validate.authenticate(topic, data, ring, received_ms)
    return isinstance(found, Authentic) and not found.by_former_key


def _look(journal: Journal, row_id: int, data: bytes, known: dict[str, record.Birth], now_ms: int) -> Replayed | None:
    text = record.split(data).text
    one = Authentic(record.parse_header(text), text, record.digest_of(data), data)
    body = validate.read_body(one)
    if isinstance(body, RecordError):
        return None
    birth = body if isinstance(body, record.Birth) else _birth(journal, one, known)
    if birth is None or validate.unusable(body, StreamView(now_ms, birth=birth)) is not None:
        return None
    replaces = chain_end(body, one.digest) if isinstance(body, record.Dropped) else None
    slots_ms = validate.slots_of(body)
    new = NewRecord(
        one.key, one.header.seq, one.header.kind, None, now_ms, slots_ms, birth.project, replaces, one.digest, data
    )
    journal.release(row_id, new)
    if isinstance(body, record.Birth):
        journal.set_project(one.key, body.project)
        births.enter(journal, one.key, body, now_ms, usable=True)
    return Replayed(one.key, one.header.seq, one.digest)


def _birth(journal: Journal, one: Authentic, known: dict[str, record.Birth]) -> record.Birth | None:
    found = journal.birth_before(one.key, one.header.seq)
    if found is None or found[2]:
        return None
    digest, data, _ = found
    if digest not in known:
        birth = record.parse(data)
        if not isinstance(birth, record.Birth):
            return None
        known[digest] = birth
    return known[digest]

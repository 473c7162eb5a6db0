"""Record bytes in, chained runs and their summaries out: what a statement says it rests on, and where a chain breaks.

A *run* is a sequence of records of one stream in which each names the digest of the one before. A stream taken apart by
a period's window gives at least two runs: its birth, and the records that overlap the window. A `dropped` or `thinned`
record stands for a range, so the record behind it names the digest of the range's last record; where the journal also
holds a part of that range, the two ways through it become two runs.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from metering.errors import RecordError
from metering.record import Birth, Dropped, Gap, Horizon, Readings, Record, digest_of, parse
from registry.canonical import JsonObject, JsonValue, canonical_bytes


@dataclass(frozen=True, slots=True)
class Link:
    """One record with its exact bytes and its name."""

    data: bytes
    digest: str
    record: Record

    @classmethod
    def of(cls, data: bytes) -> "Link":
        """Read a record.

        Raises:
            RecordError: when the bytes are not a record of a known shape.
        """
        return cls(data, digest_of(data), parse(data))

    @property
    def where(self) -> str:
        """Names the record for people."""
        return f"stream {self.record.stream} record {self.record.seq} ({self.record.kind})"

    @property
    def last_seq(self) -> int:
        """The last sequence number it stands for."""
        return self.record.through if isinstance(self.record, Dropped) else self.record.seq

    @property
    def onward(self) -> str:
        """The digest that the next record of the chain must name."""
        return self.record.replaces if isinstance(self.record, Dropped) else self.digest


Run = tuple[Link, ...]


def chained_runs(links: Iterable[Link]) -> list[Run]:
    """Group records into chained runs, ordered by gateway, stream and first record, whatever order they come in."""
    runs: list[list[Link]] = []
    tails: dict[tuple[str, str, int, str], list[Link]] = {}
    for link in sorted(links, key=_order):
        record, gateway = link.record, str(link.record.gateway_id)
        # One gateway's signature at the end of a run says nothing about another's records in it.
        run = tails.pop((gateway, record.stream, record.seq, record.prev), None) if record.prev is not None else None
        if run is None:
            run = []
            runs.append(run)
        run.append(link)
        if not isinstance(record, Horizon):
            tails[gateway, record.stream, link.last_seq + 1, link.onward] = run
    return [tuple(run) for run in runs]


def _order(link: Link) -> tuple[str, str, int, int, str]:
    return str(link.record.gateway_id), link.record.stream, link.record.seq, link.last_seq, link.digest


def run_list(runs: Sequence[Run]) -> list[JsonValue]:
    """Summarise runs as a statement lists them."""
    return [_summary(run) for run in runs]


def _summary(run: Run) -> JsonObject:
    first, last = run[0], run[-1]
    return {
        "gateway": str(first.record.gateway_id),
        "stream": first.record.stream,
        "first_seq": first.record.seq,
        "last_seq": last.last_seq,
        "records": len(run),
        "first_digest": first.digest,
        "last_digest": last.digest,
    }


def evidence_root(runs: list[JsonValue]) -> str:
    """Name a list of runs by the SHA-256 [hex] of its canonical bytes."""
    return hashlib.sha256(canonical_bytes(runs)).hexdigest()


def map_texts(links: Iterable[Link]) -> dict[str, str]:
    """Collect the device maps that the births carry: exact text by digest [hex]."""
    texts: dict[str, str] = {}
    for link in links:
        if isinstance(link.record, Birth):
            texts |= link.record.device_maps
    return dict(sorted(texts.items()))


def must_be_signed(runs: Iterable[Run]) -> list[Link]:
    """The records that no later link covers: the last of each run, births, and those that stand for others."""
    return [
        link for run in runs for link in run if link is run[-1] or isinstance(link.record, Birth | Dropped | Horizon)
    ]


def times(runs: Iterable[Run]) -> dict[str, int]:
    """When each record was made, as far as the records say so themselves.

    A record that names no time, such as a birth, counts as made when the one before it was, and the first of a run when
    its stream began.

    Returns:
        Digest to the last instant that the record speaks of [ms since the Unix epoch].
    """
    found: dict[str, int] = {}
    for run in runs:
        at_ms = _stream_start_ms(run[0].record.stream)
        for link in run:
            at_ms = found[link.digest] = _time_of(link.record, at_ms)
    return found


def _time_of(record: Record, otherwise_ms: int) -> int:
    if isinstance(record, Readings):
        return max((group.slots[-1] for group in record.groups if group.slots), default=otherwise_ms)
    return record.to_ms if isinstance(record, Gap | Dropped) else otherwise_ms


def _stream_start_ms(stream: str) -> int:
    # The first ten letters of a ULID are its time.
    number = 0
    for letter in stream[:10]:
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(letter)
    return number


def broken_links(runs: Sequence[Run]) -> list[str]:
    """Say where the chain of a stream does not hold between two neighbouring records that are both there.

    Args:
        runs: all runs of the evidence.

    Returns:
        One sentence per place; empty when every record that has its neighbour is chained to it.
    """
    by_place: dict[tuple[str, str, int], list[Link]] = {}
    for run in runs:
        last = run[-1]
        if isinstance(last.record, Horizon):
            continue  # it stands outside the chain, and no record comes behind it
        by_place.setdefault((str(last.record.gateway_id), last.record.stream, last.last_seq + 1), []).append(last)
    faults = []
    for run in runs:
        first = run[0]
        before = by_place.get((str(first.record.gateway_id), first.record.stream, first.record.seq), [])
        if before and first.record.prev not in {link.onward for link in before}:
            names = ", ".join(f"{link.where} has digest {link.onward}" for link in before)
            faults.append(f"{first.where} names {first.record.prev} as the record before it, but {names}")
    return faults


def left_out(runs: Iterable[Run], held: Collection[tuple[str, str, int]]) -> list[str]:
    """Say which records are missing between others of their stream that are there.

    What is left out of the middle, a spike or a birth in test mode, can raise the credit; what is left out at an end
    only leaves the beginning or the end of the period unproved.

    Args:
        runs: all runs of the evidence.
        held: gateway, stream and number of the records that the journal holds and cannot use.

    Returns:
        One sentence per hole that neither a record that stands for others nor a horizon nor held records explain.
    """
    streams: dict[tuple[str, str], list[Link]] = {}
    for link in sorted((link for run in runs for link in run), key=_order):
        streams.setdefault((str(link.record.gateway_id), link.record.stream), []).append(link)
    faults = []
    for (gateway, stream), links in streams.items():
        data = [link.record.seq for link in links if not isinstance(link.record, Birth | Horizon)]
        lost = [link.record.oldest_seq for link in links if isinstance(link.record, Horizon)]
        at = max([min(data, default=0), *lost])
        for link in links:
            if at < link.record.seq <= max(data, default=0):
                unused = sum(name[:2] == (gateway, stream) and at <= name[2] < link.record.seq for name in held)
                if unused < link.record.seq - at:
                    faults.append(f"stream {stream}: of records {at} to {link.record.seq - 1} some are left out")
            at = max(at, link.last_seq + 1)
    return faults


def read_links(records: Iterable[bytes], what: str) -> tuple[list[Link], list[str]]:
    """Read records, collecting what cannot be read.

    Args:
        records: exact bytes.
        what: where they come from, for the sentences.

    Returns:
        The records that can be read, and one sentence for each that cannot.
    """
    links, faults = [], []
    for n, data in enumerate(records):
        try:
            links.append(Link.of(data))
        except RecordError as fault:
            faults.append(f"{what}, record no. {n + 1} ({digest_of(data)}): {fault}")
    return links, faults

"""Send everything since an instant to InfluxDB again: after it was wiped, or a copy of it was restored.

In go the journal and an interval, out go its good readings as they are now, one day of one project at a time. The
forwarder's cursor is not touched and no lock is needed, so this may run beside ingest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ingest.errors import InfluxError, InfluxRejectedError
from ingest.forward import requests, send
from ingest.lines import Lines, Row, Span, lines_of
from ingest.reconcile import whole_day
from ingest.store.influx import Writer
from ingest.store.reader import JournalReader
from ingest.store.readings import Evidence
from metering.interval import DAY_MS, Interval

Wait = Callable[[float], object]
_TRIES = 10
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A day of a project that is in InfluxDB again."""

    project: str
    start_ms: int
    """Its midnight (UTC) [ms since the Unix epoch]."""
    lines: int
    refused: tuple[str, ...]
    """Lines that InfluxDB does not take, each with its reason."""


def rebuild(reader: JournalReader, writer: Writer, span: Interval, wait: Wait) -> Iterator[Sent]:
    """Send the good readings of an interval, day by day.

    Args:
        reader: the journal.
        writer: InfluxDB.
        span: which slots.
        wait: waits so many seconds.

    Raises:
        InfluxError: when InfluxDB takes nothing for minutes; what was told is there.
        JournalError: when the journal cannot be read.
    """
    first_ms = span.start_ms // DAY_MS * DAY_MS
    for start_ms in range(first_ms, span.end_ms, DAY_MS):
        day = Interval(max(start_ms, span.start_ms), min(start_ms + DAY_MS, span.end_ms))
        for project in reader.projects():
            evidence = whole_day(reader, project, day)
            lines = [lines_of(one) for one in spans_of_day(evidence, day)]
            if lines:
                yield _send(writer, project, start_ms, lines, wait)


def _send(writer: Writer, project: str, start_ms: int, lines: list[Lines], wait: Wait) -> Sent:
    refused: list[str] = []

    def refuse(line: bytes, error: InfluxRejectedError) -> None:
        refused.append(f"{line.decode().strip()}: {error}")

    for text in requests(lines):
        _patiently(partial(send, writer, text, refuse), wait)
    return Sent(project, start_ms, sum(part.count for part in lines), tuple(refused))


def _patiently(act: Callable[[], None], wait: Wait) -> None:
    """Try again what InfluxDB could not take at once, longer and longer; doing it twice changes nothing."""
    pause_s = 1.0
    for left in reversed(range(_TRIES)):
        try:
            act()
        except InfluxError as error:
            if not left:
                raise
            wait(error.retry_after_s or pause_s)
            pause_s = min(2 * pause_s, _LONGEST_WAIT_S)
        else:
            return


def spans_of_day(evidence: Evidence, day: Interval) -> Iterator[Span]:
    """Lay the measurands of a point side by side that have the same slots."""
    sites = {point.point: birth.site for birth in evidence.births for group in birth.groups for point in group.points}
    alike: dict[tuple[str, bytes], tuple[list[int], list[Row]]] = {}
    for (point, measurand), series in sorted(evidence.by_key.items()):
        inside = series.valued & (series.time_ms >= day.start_ms) & (series.time_ms < day.end_ms)
        times = series.time_ms[inside]
        if len(times):
            _, rows = alike.setdefault((point, times.tobytes()), (times.tolist(), []))
            rows.append(Row(point, measurand, series.value[inside].tolist()))
    for (point, _), (slots, rows) in alike.items():
        yield Span(sites[point], slots, rows)

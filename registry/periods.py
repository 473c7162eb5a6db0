"""Which monitoring periods a statement may be about: over, and not told already by another statement that is handed in.

In: a period or a statement, and the store. Out: nothing, or a `DraftError` that names the other statement. The same
tonne is never claimed twice: a statement that says it anew names the one it replaces.
"""

from datetime import datetime

from metering.clock import utc_text
from metering.interval import Interval
from registry.canonical import JsonObject, JsonValue, parse_object
from registry.errors import DraftError
from registry.states import State
from registry.store import StatementReader, StatementRow

CLAIMING = frozenset({State.SUBMITTED, State.RETURNED, State.VERIFIED})
"""States in which a statement's period is taken; a draft claims nothing yet, and what was withdrawn, rejected or
superseded claims nothing any more."""
_PAGE = 200


def refuse_open_period(project: str, period: str, span: Interval, now_ms: int) -> None:
    """Let no statement be drawn up about time that is still to come.

    Args:
        project: whose period it is.
        period: the monitoring period by id.
        span: from when to when it is.
        now_ms: the time now [ms since the Unix epoch].

    Raises:
        DraftError: when the period is not over.
    """
    if span.end_ms > now_ms:
        raise DraftError(
            f"period {period!r} of project {project} ends at {utc_text(span.end_ms)} and it is {utc_text(now_ms)}: "
            "it reaches into the future; draw the statement up when it is over"
        )


def refuse_overlap(store: StatementReader, project: str, digest: str, document: JsonObject) -> None:
    """Let no two statements of a project that are handed in tell of the same time, unless one replaces the other.

    Args:
        store: the statement store.
        project: whose statement it is.
        digest: what names the statement.
        document: the statement; what it supersedes is replaced, and what that one superseded too.

    Raises:
        DraftError: when another statement claims a part of its time.
        UnknownStatementError: when the store does not hold the one that it supersedes.
    """
    span = _span(document)
    known = {digest, *_replaced(store, document["supersedes"])}
    for row in _claiming(store, project):
        other = _span(parse_object(store.statement(row.digest)))
        if row.digest not in known and other.start_ms < span.end_ms and span.start_ms < other.end_ms:
            raise DraftError(
                f"statement {row.digest} of project {project} is {row.state} and tells of {utc_text(other.start_ms)}"
                f" to {utc_text(other.end_ms)}, which overlaps {utc_text(span.start_ms)} to {utc_text(span.end_ms)}: "
                "choose another period, or draw this one up to supersede it"
            )


def _claiming(store: StatementReader, project: str) -> list[StatementRow]:
    rows: list[StatementRow] = []
    after = 0
    while page := store.rows(project=project, after=after, limit=_PAGE):
        rows += (row for row in page if row.state in CLAIMING)
        after = page[-1].n
    return rows


def _replaced(store: StatementReader, supersedes: JsonValue) -> set[str]:
    replaced: set[str] = set()
    while isinstance(supersedes, str) and supersedes not in replaced:
        replaced.add(supersedes)
        supersedes = parse_object(store.statement(supersedes))["supersedes"]
    return replaced


def _span(document: JsonObject) -> Interval:
    period = document["period"]
    if not isinstance(period, dict):
        raise DraftError("a statement in the store has no period; the store was changed by other software")
    start, end = (int(datetime.fromisoformat(str(period[key])).timestamp() * 1000) for key in ("start_utc", "end_utc"))
    return Interval(start, end)

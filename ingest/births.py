"""What a birth says beyond its own stream: which stream it follows, and which points its gateway reads.

In goes a birth that is in the journal, out come rows that later births are compared with, and incidents: two boxes with
one identity, one point that two gateways read. Everything happens in the caller's transaction.
"""

from ingest import validate
from ingest.store.journal import Journal, StreamKey
from metering import record

_MOST_NAMED = 5


def enter(journal: Journal, key: StreamKey, birth: record.Birth, now_ms: int, *, usable: bool) -> None:
    """Compare a birth with what the journal knows, and remember it.

    Args:
        journal: in a transaction.
        key: the birth's stream.
        birth: the birth; its record is stored already.
        now_ms: when this is found [ms since the Unix epoch].
        usable: whether readings may be read with it.
    """
    if birth.seq == 1 and birth.after is not None:
        predecessor = StreamKey(key.site, key.gateway, birth.after.stream)
        siblings = journal.successors(predecessor)
        for found in validate.suspect_birth(key.stream, birth.after, siblings, journal.head(predecessor)):
            journal.incident(found.code, key, birth.seq, found.what, now_ms)
        journal.set_predecessor(key, birth.after.stream, birth.after.seq)
    if usable and birth.mode == "live":
        _claim(journal, key, birth, now_ms)


def _claim(journal: Journal, key: StreamKey, birth: record.Birth, now_ms: int) -> None:
    gateway = birth.gateway_id
    points = [(point.point, point.measurand) for group in birth.groups for point in group.points]
    known = set(journal.claimants(birth.project, gateway))
    journal.claim(birth.project, gateway, points)
    shared = [found for found in journal.claimants(birth.project, gateway) if found not in known]
    if not shared:  # or it has been said before: a gateway names its points again at each start
        return
    others = ", ".join(sorted({str(other) for _, _, other in shared}))
    names = sorted({f"{point}/{measurand}" for point, measurand, _ in shared})
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    what = f"{gateway} reads what {others} reads too: {', '.join(names[:_MOST_NAMED])}{more}"
    journal.incident("point-claimed-twice", key, birth.seq, what, now_ms)

"""How far each gateway of a project is heard: a period that reaches further is not all there yet.

In: the evidence and a period. Out: a finding and a block for each gateway whose last slot lies before the period's end.
What a gateway still holds back would change the numbers, so they are shown and are not creditable.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from compute.project import ProjectSettings
from compute.result import Blocked
from ingest.store.readings import Evidence
from metering.clock import utc_text
from metering.findings import Finding, Severity
from metering.interval import Interval

_CODE = "gateway-not-heard"


@dataclass(frozen=True, slots=True)
class Unheard:
    """A gateway whose records end before the period does."""

    gateway: str
    """"site/gateway"."""
    last_ms: int | None
    """The last slot of its points that anything speaks of [ms]; None when there is none."""
    span: Interval
    """The part of the period that it says nothing of."""

    @property
    def _what(self) -> str:
        told = "nothing" if self.last_ms is None else f"its last slot is {utc_text(self.last_ms)}"
        return f"gateway {self.gateway} is not heard up to the period's end at {utc_text(self.span.end_ms)}: {told}"

    @property
    def finding(self) -> Finding:
        """What is told."""
        evidence = {} if self.last_ms is None else {"last_slot_ms": str(self.last_ms)}
        return Finding(_CODE, "contracts 6", Severity.BLOCKING, self._what, interval=self.span, evidence=evidence)

    @property
    def blocked(self) -> Blocked:
        """Why the result is not creditable."""
        return Blocked(_CODE, f"{self._what}; wait until what it holds is acknowledged", self.gateway)


def unheard(project: ProjectSettings, evidence: Evidence, span: Interval) -> Iterator[Unheard]:
    """Tell which gateways are not heard up to the end of a period.

    A gateway is as far as the last slot of any point that it reads, whoever sent it: when another gateway took its
    points over, nothing of them is missing. A slot that says why there is no value counts.

    Args:
        project: whose points count.
        evidence: of the period.
        span: the period.
    """
    points = {point.id for point in project.point}
    keys: dict[str, set[tuple[str, str]]] = {}
    for birth in evidence.births:
        read = {(part.point, part.measurand) for group in birth.groups for part in group.points if part.point in points}
        keys.setdefault(f"{birth.site}/{birth.gateway}", set()).update(read)
    for gateway, read in sorted(keys.items()):
        slots = [int(evidence.by_key[key].time_ms[-1]) for key in read if key in evidence.by_key]
        last_ms = max(slots, default=None)
        if read and (last_ms is None or last_ms < span.end_ms):
            start_ms = span.start_ms if last_ms is None else max(span.start_ms, last_ms)
            yield Unheard(gateway, last_ms, Interval(start_ms, span.end_ms))

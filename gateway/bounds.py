"""How much an outbox may hold, and what goes when that is not enough."""

from dataclasses import dataclass
from enum import StrEnum

MOST_RANGE_BYTES = 8 * 1024 * 1024
KEPT_FREE_BYTES = 16 * 1024 * 1024
"""Space on the disk that readings leave alone [bytes]. A disk that they had filled could neither take an ack nor give a
record up, and would stay full for ever: both go through SQLite's log, which needs space before it gives any."""
LOG_BYTES = 4 * 1024 * 1024
"""How large that log becomes; it is written again from its beginning, so what it has is as good as free [bytes]."""


class Policy(StrEnum):
    """What a full outbox does once no copy of an acknowledged record is left to delete."""

    THIN = "thin"
    """Give up INSTANT values and all but one slot of each counter an hour; with nothing left to thin, stop."""
    STOP = "stop"
    """Commit nothing more until there is space."""
    DROP_OLDEST = "drop_oldest"
    """Give up the oldest readings whole."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much the outbox may hold, and what goes first."""

    max_bytes: int = 2_000_000_000
    """Records, copies and slots that are not sealed yet [bytes]."""
    policy: Policy = Policy.THIN

    @property
    def range_bytes(self) -> int:
        """About how much goes at once: as little as possible, but not with each slot anew [bytes]."""
        return min(self.max_bytes // 64, MOST_RANGE_BYTES)

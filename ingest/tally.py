"""What the running ingest counts of itself; written by its own thread, read by whoever watches it."""

from collections import Counter
from dataclasses import dataclass, field

from ingest.validate import Action


@dataclass(slots=True)
class Tally:
    """Counts since the start."""

    outcomes: Counter[Action] = field(default_factory=Counter)
    """Messages, by what became of them."""
    batches: int = 0
    """Commits that took messages."""
    commit_s: float = 0.0
    """How long they took together: signatures checked, stored, on disk [s]."""
    slowest_commit_s: float = 0.0
    """The longest of them [s]."""
    waiting_bytes: int = 0
    """Messages in memory that are not committed yet [bytes]."""
    acks: int = 0
    """Acks sent."""
    connected: bool = False
    """Whether the broker has accepted us."""
    disk_full: bool = False
    """Nothing is read while the disk takes nothing."""
    bad_months: int = 0
    """Closed months whose file is missing or was changed."""
    stepped_s: float = 0.0
    """When the main loop last went round [s, monotonic]."""

    def committed(self, seconds: float) -> None:
        """Count a commit."""
        self.batches += 1
        self.commit_s += seconds
        self.slowest_commit_s = max(self.slowest_commit_s, seconds)

"""Due slots against what records say of them: every one is read once, or lies in a gap that names its reason."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from metering.quality import Quality
from metering.record import Birth, Dropped, Gap, Readings, Record


@dataclass
class Account:
    """One poll group's slots [ms since the Unix epoch]."""

    interval_ms: int
    read: list[int] = field(default_factory=list)
    """In the order they were read in."""
    gaps: list[Gap] = field(default_factory=list)
    given_up: list[Dropped] = field(default_factory=list)

    @property
    def explained(self) -> dict[int, str]:
        """Slots that a record names a reason for; the reason."""
        reasons: dict[int, str] = {}
        for lost in self.given_up:
            reasons |= dict.fromkeys(self._due(lost.from_ms, lost.to_ms), lost.kind)
        for gap in self.gaps:
            reasons |= dict.fromkeys(self._due(gap.from_ms, gap.to_ms), gap.reason)
        return reasons

    def unexplained(self) -> list[int]:
        """Slots that were due between the first and the last one of which anything is said, and are in no record."""
        said = {*self.read, *self.explained}
        return [slot for slot in self._due(min(said), max(said)) if slot not in said]

    def _due(self, from_ms: int, to_ms: int) -> range:
        return range(-(-from_ms // self.interval_ms) * self.interval_ms, to_ms, self.interval_ms)


def accounts(records: Iterable[Record]) -> dict[str, Account]:
    """Sort what records say by poll group.

    Args:
        records: of one outbox or one ingest, in order.

    Returns:
        An account for each group that a birth names; its interval is that of its first birth.
    """
    found: dict[str, Account] = {}
    for record in records:
        if isinstance(record, Birth):
            for part in record.groups:
                found.setdefault(part.group, Account(part.interval_ms))
        elif isinstance(record, Gap):
            for account in found.values() if record.group is None else [found[record.group]]:
                account.gaps.append(record)
        elif isinstance(record, Readings | Dropped):
            for part in record.groups:
                found[part.group].read += part.slots
            if isinstance(record, Dropped):
                for account in found.values():
                    account.given_up.append(record)
    return found


def assert_every_due_slot_is_read_once_or_explained(records: Iterable[Record], at_least: int = 2) -> dict[str, Account]:
    """Check every poll group.

    Args:
        records: in order.
        at_least: so many slots of each group were read.

    Returns:
        The accounts, for what else a test wants to ask.
    """
    found = accounts(records)
    assert found
    for group, account in found.items():
        assert len(account.read) >= at_least, group
        assert len(account.read) == len(set(account.read)), f"{group}: a slot was read twice"
        assert account.unexplained() == [], group
        assert {*account.explained.values()} <= {quality.label for quality in Quality}
    return found

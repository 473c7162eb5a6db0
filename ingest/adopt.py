"""Let a new journal succeed a lost one: the only way in which gateways accept acks of another journal.

In go settings and the ULID of the journal that was lost, out comes a journal that names it in every ack from now on.
"""

import re
from dataclasses import dataclass

from ingest.config import IngestSettings
from ingest.errors import AdoptError
from ingest.store.journal import Journal
from metering.ulid import PATTERN


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was written down."""

    journal: str
    """The ULID of this journal."""
    succeeds: str
    """The ULID of the journal it replaces."""


def adopt(settings: IngestSettings, succeeds: str) -> Adoption:
    """Write into the journal which one it replaces. Ingest must be stopped.

    Args:
        settings: whose journal it is.
        succeeds: the ULID of the lost journal: `journal` in the last ack that a gateway's retained topic holds.

    Raises:
        AdoptError: when that is no ULID, this very journal, or another one was adopted before.
        JournalInUseError: when ingest is running.
    """
    if re.fullmatch(PATTERN, succeeds) is None:
        raise AdoptError(f"{succeeds!r} is no journal name; expected 26 letters and digits, as in the last ack")
    with Journal.open(settings.journal_path, settings.clock.build().now_ms()) as journal:
        if succeeds == journal.journal_id:
            raise AdoptError(f"{succeeds} is this journal itself: gateways accept it as it is")
        if journal.succeeds not in (None, succeeds):
            raise AdoptError(f"this journal already succeeds {journal.succeeds}; it cannot succeed {succeeds} too")
        journal.adopt(succeeds)
        return Adoption(journal.journal_id, succeeds)

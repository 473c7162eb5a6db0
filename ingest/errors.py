"""The exceptions of ingest, as a tree.

IngestError
├── JournalError            a file that is not a journal this software can use
│   ├── JournalInUseError   another process has the journal open for writing
│   ├── JournalFullError    there is no space for another record now
│   └── MonthError          the file of a closed month is missing or was changed
├── ArchiveError            the archive cannot be read or written, or does not hold what was asked for
├── AdoptError              `ingest adopt` asked for something that makes no sense
├── MetricsError            the address for metrics cannot be had
├── BackupError             `ingest backup` found damage, or nothing to copy
├── ResultsError            compute's results cannot be read
├── SessionTakenError       another client connected under this shard's client id
└── InfluxError             InfluxDB did not take what was written; the base is retryable
    └── InfluxRejectedError some, or none, of the lines were written (HTTP 400); sending the same again is useless
"""

from metering.errors import SakugenError


class IngestError(SakugenError):
    """Base of every exception that ingest raises on purpose."""


class JournalError(IngestError):
    """A journal file that is missing, damaged, or of another kind."""


class JournalInUseError(JournalError):
    """The journal's lock is held: one process writes, and it alone."""

    retryable = True


class JournalFullError(JournalError):
    """The disk took no more; nothing of the batch is stored, and the same can be tried again when there is space."""

    retryable = True


class MonthError(JournalError):
    """The file of a closed month is missing, or is not what the journal lists; the message names it."""


class ArchiveError(IngestError):
    """The archive cannot be read or written, a file of it was changed, or a month is not there yet."""


class AdoptError(IngestError):
    """A journal that cannot be adopted as asked."""


class MetricsError(IngestError):
    """Nobody can listen at the address that was configured for metrics."""


class BackupError(IngestError):
    """A journal that cannot be copied; the backup before this one is still there."""


class ResultsError(IngestError):
    """compute's results.sqlite cannot be read as such."""


class SessionTakenError(IngestError):
    """The broker gave this shard's session to another client (MQTT reason 0x8E)."""


class InfluxError(IngestError):
    """InfluxDB could not be reached, was busy, or refused the credentials."""

    retryable = True

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Keep how long the server asked to wait.

        Args:
            message: what was tried, what was answered, and what to do.
            retry_after_s: the answer's Retry-After [s].
        """
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InfluxEmptyError(InfluxError):
    """The database does not exist: nothing was ever written, or its name is another one."""


class InfluxRejectedError(InfluxError):
    """HTTP 400: at least one line is bad; which one must be found by halves."""

    retryable = False

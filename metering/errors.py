"""The exceptions of metering, as a tree; every other package derives its own base from `SakugenError`.

SakugenError
├── UnknownMeasurandError   a name that is not in the vocabulary
├── DeviceMapError          a device map that cannot be used
├── NoteError               a signed note that is malformed or whose signature is wrong
├── RecordError             record bytes that do not hold a record
├── KeyFileError            a key file that cannot be used
└── config.ConfigError      a configuration file with faults
"""


class SakugenError(Exception):
    """Base of every exception that Sakugen raises on purpose."""

    retryable = False
    """Whether the same call may succeed later without anyone changing anything."""


class UnknownMeasurandError(SakugenError):
    """A measurand name that the vocabulary does not hold."""


class DeviceMapError(SakugenError):
    """A device map that is malformed; says which register and what is allowed."""


class NoteError(SakugenError):
    """A signed note that is malformed, unsigned, or signed by another key."""


class RecordError(SakugenError):
    """Bytes that are not a record of a known shape."""

    def __init__(self, reason: str, detail: str) -> None:
        """Keep a short code beside the sentence.

        Args:
            reason: a stable code, for example "shape" or "newer-schema".
            detail: what was found, for people.
        """
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class KeyFileError(SakugenError):
    """A key file that is missing, malformed, or readable by others."""

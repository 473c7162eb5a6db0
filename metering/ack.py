"""The ack, version 1: what ingest has made durable, so that a gateway may delete it."""

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError, model_validator

from metering import note
from metering.errors import NoteError, RecordError
from metering.record import Digest, Instant, Name, Seq, Site, Stream, WirePart, brief
from metering.topics import GatewayId
from metering.ulid import PATTERN as ULID_PATTERN

ACK_TYPE: Final = "sakugen.ack/1"
MAX_HELD: Final = 32

Ulid = Annotated[str, Field(pattern=ULID_PATTERN)]


class StreamAck(WirePart):
    """How far one stream is in the journal."""

    through: Seq
    """All records up to here are durable; 0 = none yet."""
    digest: Digest | None
    """The digest of record `through`; null when that is 0."""

    @model_validator(mode="after")
    def _has_a_digest(self) -> "StreamAck":
        if (self.through == 0) != (self.digest is None):
            raise ValueError("digest must be null when through is 0, and only then")
        return self


class HeldPart(WirePart):
    """One record that is stored but cannot be used yet."""

    stream: Stream
    seq: Seq
    reason: str


class Ack(WirePart):
    """A signed, cumulative acknowledgement to one gateway."""

    type: Literal["sakugen.ack/1"] = ACK_TYPE
    site: Site
    gateway: Name
    journal: Ulid
    succeeds: Ulid | None
    """The journal that this one replaces, by `sakugen ingest adopt`."""
    run: Ulid
    """This start of ingest; each is above the last."""
    n: Annotated[int, Field(ge=1)]
    """Counts the acks of a run to this gateway."""
    issued_ms: Instant
    streams: dict[Stream, StreamAck]
    held: Annotated[tuple[HeldPart, ...], Field(max_length=MAX_HELD)]
    refused: Annotated[int, Field(ge=0)]

    @property
    def gateway_id(self) -> GatewayId:
        """The gateway that it is for."""
        return GatewayId(self.site, self.gateway)


def build(ack: Ack, signer: note.Signer) -> bytes:
    """Write an ack and sign it; returns its exact bytes."""
    return note.sign(ack.model_dump_json().encode() + b"\n", signer)


def parse(data: bytes, verifiers: tuple[note.Verifier, ...]) -> Ack:
    """Read an ack that one of the pinned keys signed.

    Raises:
        RecordError: "unsigned" when none did, "shape" when it is no ack of version 1.
    """
    try:
        parts = note.split(data)
        _verify_any(parts, verifiers)
    except NoteError as error:
        raise RecordError("unsigned", str(error)) from None
    try:
        return Ack.model_validate_json(parts.text)
    except ValidationError as error:
        raise RecordError("shape", brief(error)) from None


def _verify_any(parts: note.Note, verifiers: tuple[note.Verifier, ...]) -> None:
    refusals = []
    for verifier in verifiers:
        try:
            note.verify(parts, verifier)
        except NoteError as error:
            refusals.append(str(error))
        else:
            return
    raise NoteError("; ".join(refusals) or "no ack key is pinned")

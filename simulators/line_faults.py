"""An answer and the faults of its device in, what really goes over the line out; pure.

A fault changes when an answer goes, under whose name, or its bytes; what registers show is not its business.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulators.faults import Fault
from simulators.frames import BUSY, Framing, Request, exception_pdu

_UNITS = 256


@dataclass(frozen=True, slots=True)
class Sending:
    """What becomes of one answer."""

    frame: bytes
    """Empty: nothing is sent."""
    delay_s: float = 0
    holds_line: bool = False
    """Whether what is asked meanwhile waits for it."""
    with_next: bool = False
    """Whether it waits for the next answer, to go in one piece with it."""
    arrives_whole: bool = True
    """Whether a client that waits long enough gets what the registers showed."""


def disturbed(framing: Framing, request: Request, pdu: bytes, faults: Sequence[Fault]) -> Sending:
    """Put an answer into a frame, with all that goes wrong.

    Args:
        framing: of the line.
        request: what is answered.
        pdu: the answer without faults.
        faults: what the device has at this instant.
    """
    kinds = {fault.kind: fault for fault in faults}
    if "silent" in kinds or "half-open" in kinds:
        return Sending(b"", arrives_whole=False)
    whole = True
    if "busy" in kinds or "exception" in kinds:
        code = BUSY if "busy" in kinds else int(kinds["exception"].how_much)
        pdu, whole = exception_pdu(request.function, code), False
    unit_id = (request.unit_id + 1) % _UNITS if "wrong-unit" in kinds else request.unit_id
    sending = Sending(framing.frame(request, pdu, unit_id), arrives_whole=whole and "wrong-unit" not in kinds)
    if "bad-crc" in kinds:
        sending = replace(sending, frame=framing.spoiled(sending.frame), arrives_whole=False)
    if "truncated" in kinds:
        sending = replace(sending, frame=sending.frame[: len(sending.frame) // 2], arrives_whole=False)
    if "slow" in kinds:
        sending = replace(sending, delay_s=kinds["slow"].how_much, holds_line=True)
    if "late" in kinds:
        sending = replace(sending, delay_s=sending.delay_s + kinds["late"].how_much)
    return replace(sending, with_next="merged" in kinds)

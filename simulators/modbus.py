"""In: a request to a device on a line. Out: its answer, and an entry in the ledger when a client can have it."""

from collections.abc import Sequence
from dataclasses import replace

from metering.clock import Clock
from simulators.faults import Fault, FaultBoard, FaultKind
from simulators.frames import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    MOST_REGISTERS,
    TARGET_FAILED,
    Framing,
    Request,
    exception_pdu,
    registers_pdu,
)
from simulators.ledger import Ledger, ServedAnswer
from simulators.line_faults import Sending, disturbed
from simulators.roster import Instrument
from simulators.traffic import Traffic
from simulators.value_faults import can_have


class Devices:
    """The devices of a plant that share one line, by unit id."""

    def __init__(
        self,
        owner: tuple[str, str],
        instruments: Sequence[Instrument],
        clock: Clock,
        ledger: Ledger,
        faults: FaultBoard,
    ) -> None:
        """Keep what answers.

        Args:
            owner: the project and the site of the plant.
            instruments: the devices.
            clock: the plant's clock.
            ledger: where every answer is written; open while this is used.
            faults: what goes wrong on purpose.
        """
        self._project, self._site = owner
        self._by_unit = {instrument.unit_id: instrument for instrument in instruments}
        self._clock = clock
        self._ledger = ledger
        self.faults = faults
        self.instruments = tuple(instruments)
        began_ms = clock.mono_ms()
        self.line_traffic = Traffic(0, began_ms)
        self.traffic = {each.name: Traffic(len(each.sheet.addresses), began_ms) for each in instruments}

    def has(self, kind: str) -> bool:
        """Whether the line as a whole has a fault now."""
        return any(fault.kind == kind for fault in self.faults.of("", self._clock.now_ms()))

    def can_have(self, kind: FaultKind, device: str) -> bool:
        """Whether a device, or any where none is named, shows anything of a fault."""
        return any(can_have(each.sheet, kind) for each in self.instruments if device in {"", each.name})

    def answer(self, request: Request, framing: Framing, *, tells_absent: bool, client: str = "") -> Sending | None:
        """Answer as the device would at this instant, faults included.

        Args:
            request: what is asked.
            framing: of the line.
            tells_absent: whether somebody answers for a unit that is not there: exception 11, as a gateway to a serial
                line does. On the serial line itself nobody does.
            client: who asks, for those who watch.

        Returns:
            What goes over the line; None when nobody is there.
        """
        now_ms, mono_ms = self._clock.now_ms(), self._clock.mono_ms()
        self.line_traffic.note(client, now_ms, mono_ms)
        instrument = self._by_unit.get(request.unit_id)
        if instrument is None:
            absent = exception_pdu(request.function, TARGET_FAILED)
            return Sending(framing.frame(request, absent, request.unit_id)) if tells_absent else None
        traffic = self.traffic[instrument.name]
        traffic.note(client, now_ms, mono_ms)
        faults = self.faults.of(instrument.name, now_ms)
        words = _words(instrument, request, now_ms, faults)
        if isinstance(words, int):
            pdu = exception_pdu(request.function, words)
        else:
            pdu = registers_pdu(request.function, words)
        sending = disturbed(framing, request, pdu, faults)
        if instrument.sheet.response_s:
            sending = replace(sending, delay_s=sending.delay_s + instrument.sheet.response_s)
        if isinstance(words, bytes) and sending.arrives_whole:
            first = instrument.sheet.place_of[request.address]
            traffic.read_ms[first : first + request.count] = now_ms
            self._ledger.append(
                ServedAnswer(
                    served_ms=now_ms,
                    project=self._project,
                    site=self._site,
                    device=instrument.name,
                    unit_id=instrument.unit_id,
                    function=request.function,
                    address=request.address,
                    words=words,
                )
            )
        return sending


def _words(instrument: Instrument, request: Request, at_ms: int, faults: Sequence[Fault]) -> bytes | int:
    # What the registers show, or the exception's code.
    if request.function not in {instrument.function, instrument.sheet.also}:
        return ILLEGAL_FUNCTION
    if not 1 <= request.count <= MOST_REGISTERS:
        return ILLEGAL_VALUE
    if request.count > instrument.sheet.most_registers:
        return instrument.sheet.too_many
    block = instrument.image(at_ms, faults).block(request.address, request.count)
    return ILLEGAL_ADDRESS if block is None else block[0].astype(">u2").tobytes()

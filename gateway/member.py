"""One unit on a bus: how long it is left alone, and whether its next answer can be believed. Pure."""

from collections import Counter
from dataclasses import dataclass

from gateway.backoff import BackOff
from metering.decode import Block

FIRST_WAIT_S = 1.0
MOST_WAIT_S = 60.0
_WAIT_FOR_TIMEOUT = 150.0
"""A unit that is dead may cost the others a hundredth of the bus: its timeout, and their way back into step."""
IDENTITY_S = 300.0
"""No instrument is taken out and another one wired in its place within this time [s]."""
LATEST_ANSWER_S = 10.0
"""No device answers later than this after it was asked [s]."""
_REFUSED_TIMES = 3

Words = tuple[int, ...]
Form = tuple[int, int]
"""Function and number of registers: all that an answer of a unit says of its request."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What is known of one device on a bus."""

    timeout_s: float
    """How long it may take to begin its answer [s]."""
    turnaround_s: float = 0.0
    """The silence that it needs before a request, when that is more than the bus needs [s]."""
    identities: tuple[Block, ...] = ()
    """Registers that hold the same as long as it is the same device."""
    numbered: bool = False
    """Whether these are serial numbers: another one is another instrument, which is read on as what it says it is."""
    probes: tuple[Block, ...] = ()
    """Anything else that it lets us read; the more lengths, the better."""


def form_of(block: Block) -> Form:
    """Say what the answer to a request looks like."""
    return block.function, block.count


class Member:
    """A unit, and how far its answers can be believed."""

    def __init__(self, unit: Unit, *, unsure: bool) -> None:
        """Begin without having asked it.

        Args:
            unit: what is known of it.
            unsure: whether it may be about to answer somebody who asked before us.
        """
        self.unit = unit
        # The first wait is the quiet window as well: within it no late answer meets a request of the same unit.
        most_s = max(MOST_WAIT_S, _WAIT_FOR_TIMEOUT * unit.timeout_s)
        self.patience = BackOff(max(FIRST_WAIT_S, unit.timeout_s), most_s)
        self.unsure = unsure
        """Whether the next answer might be one to an earlier request."""
        self.stranger = False
        """Whether another model answers than before, which is not read."""
        self.spared = False
        """Whether one bad frame has been forgiven since the last answer."""
        self.probed_s = 0.0
        """When it was last asked in vain while nobody on the bus answered [s]."""
        self.refusals: Counter[Block] = Counter()
        """How often each probe was refused in a row; what this device does not have is no longer asked for."""
        self.answers = 0
        """Requests that were answered."""
        self.answering_s = 0.0
        """From sending them to the end of their answers, in sum [s]."""
        self.held: dict[Block, Words] = {}
        """What its identity registers hold."""
        self._identified_s = 0.0
        """When it was last known to be the same device [s]."""
        self._open: dict[Form, float] = {}
        """Forms of requests that were given up, and when [s]."""

    def give_up(self, form: Form, now_s: float) -> None:
        """Note a request that may still be answered."""
        self.unsure = True
        self._open[form] = now_s

    def in_step(self, now_s: float) -> None:
        """Note that nothing is open any more and that it is the device that it was."""
        self.unsure = False
        self._open.clear()
        self._identified_s = now_s

    def may_be_another(self, now_s: float) -> bool:
        """Tell whether it was not known for so long that somebody may have exchanged it."""
        return bool(self.unit.identities) and now_s - self._identified_s >= IDENTITY_S

    def is_open(self, form: Form, now_s: float) -> bool:
        """Tell whether an answer of this form could be one to a request that was given up."""
        return form in self._open and now_s - self._open[form] < LATEST_ANSWER_S

    def probes(self, wanted: Block) -> list[Block]:
        """List what proves that the line is in step, best first: answers that look like nothing else of this unit."""
        taken = {form_of(wanted), *map(form_of, self.unit.identities)}
        return [
            probe for probe in self.unit.probes if form_of(probe) not in taken and self.refusals[probe] < _REFUSED_TIMES
        ]

    def recognises(self, identity: Block, words: Words) -> bool:
        """Tell whether an identity register holds what it held when it was first read."""
        return self.held.setdefault(identity, words) == words

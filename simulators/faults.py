"""What goes wrong on purpose: a plan or a word at run time in, the faults that a device has at an instant out.

What becomes of an answer's bytes is said by `line_faults`, what becomes of registers by `value_faults`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

FaultKind = Literal[
    "silent", "slow", "late", "wrong-unit", "bad-crc", "truncated", "merged", "exception", "busy", "half-open",
    "one-session", "frozen", "stale", "reset", "step-back", "exchange", "ct", "times-ten", "no-value",
    "rollover", "scale",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class About:
    """What a kind of fault does, for people."""

    does: str
    amount: str = ""
    """What `amount` means, with its unit; "" where there is none."""
    default: float = 0
    whole_port: bool = False
    """Whether it is a fault of the port, so that no device can be named."""
    of_values: bool = False
    """Whether it changes what registers show; it needs an instant from which on."""


KINDS: "MappingProxyType[FaultKind, About]" = MappingProxyType({
    "silent": About("gives no answer"),
    "slow": About("answers late, and what is asked meanwhile waits", "delay [s]", 2.0),
    "late": About("answers late, when the next request has long been answered", "delay [s]", 5.0),
    "wrong-unit": About("answers under the next unit id"),
    "bad-crc": About("answers with a wrong checksum; on TCP, which has none, with a wrong protocol id"),
    "truncated": About("breaks off in the middle of an answer"),
    "merged": About("holds an answer back and sends it together with the next one"),
    "exception": About("answers with an exception", "exception code", 4),
    "busy": About("answers exception 6, server device busy"),
    "half-open": About("the connection stays, and nothing is read from it or answered", whole_port=True),
    "one-session": About("only the oldest connection is served, others are closed at once", whole_port=True),
    "frozen": About("shows what it showed when it froze", of_values=True),
    "stale": About("shows what was true a while ago, as data loggers do", "age [s]", 900, of_values=True),
    "reset": About("its counters begin again at 0", of_values=True),
    "step-back": About("loses what it counted since it last saved", "lost [s]", 600, of_values=True),
    "exchange": About("is another meter: another serial number, counters from 0", of_values=True),
    "ct": About("sees power through other transformers than before", "ratio", 0.5, of_values=True),
    "times-ten": About("shows ten times the power and the counters, as a firmware once did", of_values=True),
    "no-value": About('shows its word for "no value" everywhere, 0 where it has none', of_values=True),
    "rollover": About("its counters jump to where they soon wrap, if known", "left [steps]", 1000, of_values=True),
    "scale": About("its scale factors change, and the numbers with them; SunSpec only", of_values=True),
})  # fmt: skip
"""Every kind there is."""


_NEEDED: "Mapping[FaultKind, str]" = MappingProxyType({
    "scale": "a device with scale factors, as SunSpec ones have them",
    "rollover": "a device of which it is known where its counters wrap: see docs/simulated-devices.md",
    "reset": "a device with counters",
    "step-back": "a device with counters",
})  # fmt: skip


def why_nothing_shows(kind: FaultKind, device: str) -> str:
    """Say why a fault would not be seen.

    Args:
        kind: the fault.
        device: the device; empty for all of the plant.
    """
    who = f"device {device!r} would show nothing" if device else "no device of the plant would show anything"
    return f"{who} of {kind!r}: that needs {_NEEDED[kind]}"


class Fault(BaseModel):
    """One fault: in a plan, or asked for while the simulators run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    device: str = ""
    """The device that has it, by name; empty for all devices of the plant."""
    start: AwareDatetime | None = None
    """From when on; empty for from the beginning, or from now on."""
    end: AwareDatetime | None = None
    """Until when; empty for ever."""
    amount: float | None = Field(default=None, ge=0)
    """How much, see `KINDS`; empty for the usual."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        about = KINDS[self.kind]
        if self.amount is not None and not about.amount:
            raise ValueError(f"a fault {self.kind!r} has no amount")
        if self.device and about.whole_port:
            raise ValueError(f"a fault {self.kind!r} is of the whole port; leave `device` out")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("end must be after start")
        if about.of_values and self.start is None:
            raise ValueError(f"a fault {self.kind!r} needs `start`: from when on it shows something else")
        if self.kind == "exception" and not 1 <= self.how_much <= 255:
            raise ValueError("an exception code is a number from 1 to 255")
        return self

    @property
    def how_much(self) -> float:
        """The amount, or what is usual for its kind."""
        return KINDS[self.kind].default if self.amount is None else self.amount

    def is_on(self, device: str, at_ms: int) -> bool:
        """Whether a device has it at an instant [ms since the Unix epoch]."""
        begun = self.start is None or self.start.timestamp() * 1000 <= at_ms
        over = self.end is not None and self.end.timestamp() * 1000 <= at_ms
        return begun and not over and self.device in {"", device}


class FaultBoard:
    """The faults of one plant: those planned, and those asked for since."""

    def __init__(self, planned: Iterable[Fault] = ()) -> None:
        """Begin with a plan."""
        self._faults = list(planned)

    def add(self, fault: Fault) -> None:
        """Take another fault in."""
        self._faults.append(fault)

    def clear(self, kind: FaultKind | None = None, device: str = "") -> int:
        """Forget faults.

        Args:
            kind: only of this kind; None = of any.
            device: only of this device; empty = of any.

        Returns:
            How many there were.
        """
        going = [fault for fault in self._faults if kind in {None, fault.kind} and device in {"", fault.device}]
        self._faults = [fault for fault in self._faults if fault not in going]
        return len(going)

    @property
    def all(self) -> tuple[Fault, ...]:
        """Every fault that is known, those to come included."""
        return tuple(self._faults)

    def of(self, device: str, at_ms: int) -> tuple[Fault, ...]:
        """The faults that a device has at an instant [ms since the Unix epoch]."""
        return tuple(fault for fault in self._faults if fault.is_on(device, at_ms)) if self._faults else ()

"""What an instrument sees and the faults of its device in, the registers that the device shows out; pure.

The physics goes on untouched, so the true reduction of a plant stays what it is. A fault that is over leaves no trace:
the device then shows what it would have shown without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from simulators.devices.quantities import columns_of, quantities
from simulators.devices.table import COUNTER, Image, Quantities, Sheet, image, wraps_at
from simulators.faults import Fault, FaultKind
from simulators.plants.states import State

StateAt = Callable[[int], State]
"""From an instant [ms since the Unix epoch] to what an instrument sees."""

_TEN = 10.0
_UNKNOWN = float("nan")


def shown_image(sheet: Sheet, state_at: StateAt, faults: Sequence[Fault], at_ms: int, serial: str) -> Image:
    """The registers that a device shows at an instant.

    Args:
        sheet: the device.
        state_at: what its instrument really sees, at any instant.
        faults: what the device has at this instant.
        at_ms: the instant [ms since the Unix epoch].
        serial: its serial number.
    """
    if sheet.coarser is not None and any(fault.kind == "scale" for fault in faults):
        sheet = sheet.coarser
    seen = _quantities(shown(state_at, faults, at_ms, sheet.saves_every_s))
    for fault in faults:
        if fault.kind == "rollover":
            seen = _near_the_end(sheet, seen, _quantities(state_at(_since_ms(fault))), fault.how_much)
    return image(sheet, seen, serial_of(serial, faults))


def shown(state_at: StateAt, faults: Sequence[Fault], at_ms: int, saves_every_s: float | None = None) -> State:
    """What a device shows at an instant.

    Args:
        state_at: what its instrument really sees, at any instant.
        faults: what the device has at this instant.
        at_ms: the instant [ms since the Unix epoch].
        saves_every_s: how often the device saves its counters [s]; None = not known.
    """
    for fault in faults:
        state_at = _behind(state_at, fault, saves_every_s)
    return state_at(at_ms)


def can_have(sheet: Sheet, kind: FaultKind) -> bool:
    """Whether a device shows anything of a fault: not everything is known of every device."""
    match kind:
        case "scale":
            return sheet.coarser is not None
        case "rollover":
            return any(row.modulus is not None and row.shows for row in sheet.rows)
        case "reset" | "step-back":
            return any(COUNTER in row.shows for row in sheet.rows)
        case _:
            return True


def serial_of(serial: str, faults: Sequence[Fault]) -> str:
    """The serial number that a device tells: a meter that was exchanged is another one."""
    return f"{serial[:-1]}X" if any(fault.kind == "exchange" for fault in faults) else serial


def _behind(state_at: StateAt, fault: Fault, saves_every_s: float | None) -> StateAt:
    since_ms = _since_ms(fault)
    much = fault.how_much
    match fault.kind:
        case "frozen":
            return lambda at_ms: state_at(min(at_ms, since_ms))
        case "stale":
            return lambda at_ms: state_at(at_ms - round(much * 1000))
        case "reset" | "exchange":
            return lambda at_ms: _less(state_at(at_ms), _counters(state_at(since_ms)))
        case "step-back":
            before_ms = since_ms - _unsaved_ms(fault, since_ms, saves_every_s)
            return lambda at_ms: _less(state_at(at_ms), _gained(state_at(before_ms), state_at(since_ms)))
        case "ct":
            return lambda at_ms: _through(state_at(at_ms), much, _counters(state_at(since_ms)))
        case "times-ten":
            return lambda at_ms: _through(state_at(at_ms), _TEN, {})
        case "no-value":
            return lambda at_ms: _unknown(state_at(at_ms))
        case _:
            return state_at


def _unsaved_ms(fault: Fault, since_ms: int, saves_every_s: float | None) -> int:
    if fault.amount is None and saves_every_s is not None:
        return since_ms % round(saves_every_s * 1000)
    return round(fault.how_much * 1000)


def _since_ms(fault: Fault) -> int:
    return 0 if fault.start is None else int(fault.start.timestamp() * 1000)


def _quantities(state: State) -> Quantities:
    return quantities(type(state), columns_of(state))


def _near_the_end(sheet: Sheet, seen: Quantities, at_start: Quantities, left: float) -> Quantities:
    # Going on from there as they really count, so that they wrap when the rest is full.
    ahead = {
        row.shows: end - left * row.step - at_start[row.shows]
        for row in sheet.rows
        if (end := wraps_at(row)) is not None and row.shows in seen
    }
    return {name: values + ahead.get(name, 0.0) for name, values in seen.items()}


def _unknown(state: State) -> State:
    nothing: dict[str, Any] = {}
    for part in fields(state):
        value = getattr(state, part.name)
        nothing[part.name] = (_UNKNOWN,) * len(value) if isinstance(value, tuple) else _UNKNOWN
    return replace(state, **nothing)


def _counters(state: State) -> Mapping[str, float]:
    return {name: getattr(state, name) for name in state.COUNTERS}


def _gained(earlier: State, later: State) -> Mapping[str, float]:
    before = _counters(earlier)
    return {name: value - before[name] for name, value in _counters(later).items()}


def _less(state: State, amounts: Mapping[str, float]) -> State:
    changed: dict[str, Any] = {name: value - amounts[name] for name, value in _counters(state).items()}
    return replace(state, **changed)


def _through(state: State, ratio: float, from_values: Mapping[str, float]) -> State:
    # What is counted is multiplied as well as the counter, from a value on.
    changed: dict[str, Any] = {}
    for name, value in _counters(state).items():
        base = from_values.get(name, 0.0)
        changed[name] = base + (value - base) * ratio
    for counted in state.COUNTERS.values():
        name = counted.lstrip("-")
        changed[name] = getattr(state, name) * ratio
    return replace(state, **changed)

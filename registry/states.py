"""The life of a statement as a table: which move leads from where to where, and who may make it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a statement is. "Issued" is no state: registries issue, in two countries, and we only record it."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    VERIFIED = "verified"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed step in the life of a statement."""

    start: State
    end: State
    role: str
    """Whose word it is: "operator" or "tpe"."""


MOVES: tuple[Move, ...] = (
    Move(State.DRAFT, State.SUBMITTED, "operator"),
    Move(State.DRAFT, State.WITHDRAWN, "operator"),
    Move(State.SUBMITTED, State.WITHDRAWN, "operator"),
    Move(State.SUBMITTED, State.RETURNED, "tpe"),
    Move(State.SUBMITTED, State.REJECTED, "tpe"),
    Move(State.SUBMITTED, State.VERIFIED, "tpe"),
    Move(State.RETURNED, State.SUPERSEDED, "operator"),  # by the corrected draft, which is another statement
    Move(State.VERIFIED, State.SUPERSEDED, "tpe"),  # by a verified later statement only
)

ALLOWED: Mapping[State, tuple[State, ...]] = MappingProxyType(
    {state: tuple(move.end for move in MOVES if move.start is state) for state in State}
)
"""Where a statement may go from each state."""


def may_move(start: State, end: State, role: str) -> bool:
    """Tell whether someone in this role may move a statement from one state to another."""
    return Move(start, end, role) in MOVES

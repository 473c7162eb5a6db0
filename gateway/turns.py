"""Whose request is next on a line that carries one at a time: what is read more often goes first."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import count


@dataclass(slots=True, eq=False)
class _Waiting:
    rank: int
    number: int
    form: Hashable
    turn: asyncio.Future[None]


@dataclass(slots=True)
class Turns:
    """A queue for one line."""

    last_form: Hashable = None
    """What the last answer on the line looked like; a request whose answer looks otherwise goes first."""
    _taken: bool = False
    _waiting: list[_Waiting] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    async def take(self, rank: int, form: Hashable) -> None:
        """Wait for the turn; whoever has it must `give_back`.

        Args:
            rank: the lowest goes first, whoever came first among equals.
            form: what the answer will look like.
        """
        if not self._taken:
            self._taken = True
            return
        waiting = _Waiting(rank, next(self._numbers), form, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif waiting.turn.done() and not waiting.turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """End the turn."""
        ready = [waiting for waiting in self._waiting if not waiting.turn.done()]
        if not ready:
            self._taken = False
            return
        chosen = min(ready, key=lambda waiting: (waiting.rank, waiting.form == self.last_form, waiting.number))
        self._waiting.remove(chosen)
        chosen.turn.set_result(None)

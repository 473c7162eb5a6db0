"""The life of an outbox in a process of its own, to be recorded or killed: outbox_life.py FOLDER SEED STEPS.

Commits, seals, takes acks, deletes copies, gives records up, renews its birth, begins again. It says on its standard
output what it may be held to: `slot N` is durable, `record STREAM SEQ DIGEST` is sealed, `gone N` before what lies up
to slot N may leave the file.
"""

import random
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from gateway.entries import SlotReading, birth_from_json
from gateway.outbox import Outbox
from gateway.sender import Verdict
from metering.clock import ScaledClock
from metering.keys import load_signer
from metering.topics import GatewayId

START_MS, STEP_MS = 1_766_505_600_000, 60_000
GROUP = "meter-1/all"
WIDTH = 120
MOST_PAGES_LOGGED = 20
"""SQLite's log is carried into the file much more often than on a box, or none of the writes would be of that kind."""


def open_outbox(folder: Path) -> Outbox:
    clock = ScaledClock(START_MS, 0.0, 1e-9)
    return Outbox(folder / "outbox.sqlite", GatewayId("site-1", "gw-1"), load_signer(folder / "gw.key"), clock)


def _promise(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Life:
    """One start of the agent."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._folder = folder
        self._chance = chance
        self._stack = ExitStack()

    def begin(self) -> None:
        self._stack.close()
        self._outbox = self._stack.enter_context(open_outbox(self._folder))
        self._outbox._store.db.execute(f"PRAGMA wal_autocheckpoint = {MOST_PAGES_LOGGED}")
        last_ms = self._outbox.accounted_ms().get(GROUP, START_MS - STEP_MS)
        self._number = (last_ms - START_MS) // STEP_MS + 1
        self._birth = birth_from_json((self._folder / "birth.json").read_text())
        self._outbox.begin_stream(self._birth, last_ms + 1)
        self._stream = self._outbox.state().stream
        self._sealed()

    def live(self, steps: int) -> None:
        ways: list[Callable[[], None]] = [self._commit] * 8 + [self._seal] * 3
        ways += [self._acknowledge, self._renew, self._give_up, self._prune, self.begin]
        for _ in range(steps):
            self._chance.choice(ways)()
        self._stack.close()

    def _commit(self) -> None:
        slot_ms = START_MS + self._number * STEP_MS
        reading = SlotReading(GROUP, slot_ms, 1, 2, (self._number,) * WIDTH, (), bytes(2 * WIDTH))
        sealed = self._outbox.commit([reading])
        _promise("slot", self._number)
        self._number += 1
        if sealed:
            self._sealed()

    def _seal(self) -> None:
        if self._outbox.seal():
            self._sealed()

    def _sealed(self) -> None:
        seq = self._outbox.queue().sealed_records
        _promise("record", self._stream, seq, self._outbox.shelf.digest_at(self._stream, seq))

    def _acknowledge(self) -> None:
        streams = self._outbox._store.db.execute("SELECT id, last_seq FROM stream").fetchall()
        self._outbox.shelf.apply(Verdict(let_go=dict(streams)))

    def _renew(self) -> None:
        self._outbox.renew_birth(self._birth)
        self._sealed()

    def _give_up(self) -> None:
        _promise("gone", self._number - 1)
        self._outbox.make_space()

    def _prune(self) -> None:
        _promise("gone", self._number - 1)
        self._outbox.release_copies()


if __name__ == "__main__":
    life = Life(Path(sys.argv[1]), random.Random(int(sys.argv[2])))
    life.begin()
    life.live(int(sys.argv[3]))

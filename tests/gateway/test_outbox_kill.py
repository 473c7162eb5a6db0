"""The crash table, gateway rows: a process is killed at named points, and what the next start sends is checked.

The product holds no fault hooks: a driver script in a child process wraps its functions and kills itself.
"""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from metering.keys import save_signer
from metering.record import digest_of, parse

ROOT = Path(__file__).parents[2]
START_MS = 1_766_505_600_000
STEP_MS = 60_000

DRIVER = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from gateway.entries import SlotReading, birth_from_json
from gateway.outbox import Outbox
from gateway.sender import Verdict, AckMark
from gateway.store import Store
from metering.clock import ScaledClock
from metering.keys import load_signer
from metering.topics import GatewayId

folder = Path(sys.argv[2])
START_MS, STEP_MS = 1_766_505_600_000, 60_000

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

clock = ScaledClock(START_MS, 0.0, 1e-9)
outbox = Outbox(folder / "outbox.sqlite", GatewayId("site-1", "gw-1"), load_signer(folder / "gw.key"), clock)
outbox.__enter__()
birth = birth_from_json((folder / "birth.json").read_text())
outbox.begin_stream(birth, START_MS)

def slot(number):
    return SlotReading("meter-1/all", START_MS + number * STEP_MS, 1, 2, (number,), (), b"\\0\\0\\0\\0")

def told(line):
    print(line, flush=True)

"""

POINTS = {
    "before the slot is committed": """
        outbox.commit([slot(0)]); told("slot 0")
        class Dying:
            def __init__(self, db): self.db = db
            def __getattr__(self, name): return getattr(self.db, name)
            def execute(self, sql, *args):
                if sql == "COMMIT": die()
                return self.db.execute(sql, *args)
        outbox._store._db = Dying(outbox._store._db)
        outbox.commit([slot(1)]); told("slot 1")
    """,
    "after the slot is committed, before it is sealed": """
        outbox.commit([slot(0)]); told("slot 0")
        outbox.commit([slot(1)]); told("slot 1")
        die()
    """,
    "in the middle of sealing": """
        outbox.commit([slot(0)]); told("slot 0")
        outbox.commit([slot(1)]); told("slot 1")
        append = outbox._append
        def appended(*args):
            append(*args)
            die()
        outbox._append = appended
        outbox.seal()
    """,
    "after sealing, before publishing": """
        outbox.commit([slot(0)]); told("slot 0")
        outbox.commit([slot(1)]); told("slot 1")
        outbox.seal()
        told("sealed " + outbox.shelf.digest_at(outbox.state().stream, 2))
        die()
    """,
    "in the middle of giving records up": """
        outbox.commit([slot(0)]); told("slot 0")
        outbox.seal()
        outbox.commit([slot(1)]); told("slot 1")
        outbox.seal()
        told("sealed " + outbox.shelf.digest_at(outbox.state().stream, 2))
        told("sealed " + outbox.shelf.digest_at(outbox.state().stream, 3))
        class Dying:
            def __init__(self, db): self.db = db
            def __getattr__(self, name): return getattr(self.db, name)
            def execute(self, sql, *args):
                if sql == "COMMIT" and self.db.execute("SELECT 1 FROM record WHERE kind = 'thinned'").fetchone(): die()
                return self.db.execute(sql, *args)
        outbox._store._db = Dying(outbox._store._db)
        outbox.make_space()
    """,
    "after the ack came, before anything is deleted": """
        outbox.commit([slot(0)]); told("slot 0")
        outbox.commit([slot(1)]); told("slot 1")
        outbox.seal()
        told("sealed " + outbox.shelf.digest_at(outbox.state().stream, 2))
        outbox.shelf.apply = die
        outbox.shelf.apply(Verdict(mark=AckMark("J", "R", 1), let_go={outbox.state().stream: 2}))
    """,
}


@pytest.fixture
def killed(tmp_path, signer, birth):
    """Run a driver that kills itself; give the lines it printed."""
    from gateway.entries import birth_to_json

    save_signer(signer, tmp_path / "gw.key")
    (tmp_path / "birth.json").write_text(birth_to_json(birth()))

    def run(point: str) -> list[str]:
        script = DRIVER + textwrap.dedent(POINTS[point])
        command = [sys.executable, "-c", script, str(ROOT), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        return done.stdout.splitlines()

    return run


def sent_by(outbox) -> list[bytes]:
    sent, position = [], None
    while (record := outbox.shelf.next_unacked(position)) is not None:
        sent.append(record.data)
        position = record.position
    return sent


def slots_of(records) -> list[int]:
    return [
        (slot - START_MS) // STEP_MS
        for record in records
        if record.kind == "readings"
        for group in record.groups
        for slot in group.slots
    ]


@pytest.mark.fault
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_gateway_sends_every_slot_it_committed_once_and_a_gap_for_the_rest(point, killed, new_outbox, birth):
    lines = killed(point)
    promised = [int(line.removeprefix("slot ")) for line in lines if line.startswith("slot ")]
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS + 5 * STEP_MS)
        sent = sent_by(outbox)
    records = [parse(data) for data in sent]
    assert slots_of(records) == promised, "every slot whose commit returned is sent, once"
    (gap,) = [record for record in records if record.kind == "gap"]
    assert gap.reason == "agent-down"
    assert (gap.from_ms - START_MS) // STEP_MS == len(promised), "the gap begins behind the last committed slot"
    streams = sorted({record.stream for record in records})
    assert len(streams) == 2
    for stream in streams:
        chain = [(record, data) for record, data in zip(records, sent, strict=True) if record.stream == stream]
        assert [record.seq for record, _ in chain] == list(range(1, len(chain) + 1))
        assert [record.prev for record, _ in chain] == [None, *(digest_of(data) for _, data in chain[:-1])]
    sealed = [line.removeprefix("sealed ") for line in lines if line.startswith("sealed ")]
    assert {digest_of(data) for data in sent} >= set(sealed), "a sealed record is sent again as the same bytes"

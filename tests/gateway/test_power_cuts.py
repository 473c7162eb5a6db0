"""An outbox killed or cut off at any write: what it promised is there, the chain holds, the next start goes on.

One life is recorded write for write; from that come the files that a kill or a power cut would have left at chosen
writes. Other lives are really killed, at random moments. No real card was cut off: what one does beyond losing and
tearing what was not flushed is not tried here.
"""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from runkit import outbox_life
from runkit.account import accounts
from runkit.outbox_life import GROUP, START_MS, STEP_MS, open_outbox
from runkit.writes import TRACED, Files, events_of

from gateway.entries import birth_from_json, birth_to_json
from metering.keys import save_signer
from metering.record import digest_of, parse
from registry.evidence import Link, broken_links, chained_runs

LIFE = Path(outbox_life.__file__)
STEPS = 250
POINTS, KILLS = 150, 8
MANY_POINTS, MANY_KILLS = 2_000, 1_000


@pytest.fixture
def folder(tmp_path, signer, birth) -> Path:
    """A folder with a key and a birth, for an outbox to live in."""
    made = tmp_path / "box"
    made.mkdir()
    save_signer(signer, made / "gw.key")
    (made / "birth.json").write_text(birth_to_json(birth()))
    return made


@pytest.fixture
def life(folder, installed) -> list:
    """What one outbox wrote and said, from its first start to its end."""
    log = folder.parent / "strace.log"
    watch = [installed("strace"), "-f", "-y", "-xx", "-s", "10000000", "-e", f"trace={TRACED}", "-o", str(log)]
    command = [*watch, sys.executable, str(LIFE), str(folder), "1", str(STEPS)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    events = list(events_of(log, folder))
    assert sum(event.kind == "write" for event in events) > 1000
    assert sum(event.kind == "flush" and event.name == "outbox.sqlite" for event in events) > 10
    return events


class Promises:
    """What an outbox can be held to."""

    def __init__(self) -> None:
        self.slots: set[int] = set()
        self.records: list[tuple[str, int, str]] = []

    def hear(self, text: str) -> None:
        for line in text.splitlines():
            match line.split():
                case ["slot", number]:
                    self.slots.add(int(number))
                case ["record", stream, seq, digest]:
                    self.records.append((stream, int(seq), digest))
                case ["gone", number]:
                    self.slots = {slot for slot in self.slots if slot > int(number)}

    def assert_kept(self, folder: Path) -> None:
        """Start on what was left, and compare."""
        with open_outbox(folder) as outbox:
            assert outbox.set_aside is None
            last = dict(outbox._store.db.execute("SELECT id, last_seq FROM stream"))
            for stream, seq, digest in self.records[-5:]:
                assert last[stream] >= seq
                assert outbox.shelf.digest_at(stream, seq) in {digest, None}
            outbox.begin_stream(birth_from_json((folder / "birth.json").read_text()), START_MS)
            assert outbox.find_damage() is None
            rows = outbox._store.db.execute("SELECT data FROM record WHERE seq > 0 ORDER BY stream, seq").fetchall()
        exact = [bytes(data) for (data,) in rows]
        assert broken_links(chained_runs([Link.of(data) for data in exact])) == []
        assert len({digest_of(data) for data in exact}) == len(exact)
        account = accounts(map(parse, exact))[GROUP]
        assert len(account.read) == len(set(account.read))
        there = {(slot - START_MS) // STEP_MS for slot in (*account.read, *account.explained)}
        assert self.slots <= there


def try_points(life: list, folder: Path, count: int, chance: random.Random, *, cut: bool) -> None:
    writes = [index for index, event in enumerate(life) if event.kind == "write"]
    chosen = set(writes if count >= len(writes) else chance.sample(writes, count))
    files, promises = Files(), Promises()
    for index, event in enumerate(life):
        if event.kind == "said":
            promises.hear(event.data.decode())
        files.take(event)
        if index not in chosen:
            continue
        left = folder.parent / f"left-{index}"
        left.mkdir()
        for name in ("gw.key", "birth.json"):
            shutil.copy2(folder / name, left / name)
        files.leave(left, chance if cut else None)
        promises.assert_kept(left)
        shutil.rmtree(left)


@pytest.mark.real
@pytest.mark.parametrize("cut", [False, True], ids=["killed", "power cut"])
def test_whatever_write_was_the_last_every_promise_is_kept(life, folder, cut):
    try_points(life, folder, POINTS, random.Random(1), cut=cut)


@pytest.mark.soak
@pytest.mark.parametrize("cut", [False, True], ids=["killed", "power cut"])
def test_after_each_of_all_writes_every_promise_is_kept(life, folder, cut):
    try_points(life, folder, MANY_POINTS, random.Random(1), cut=cut)


def kill_again_and_again(folder: Path, count: int, chance: random.Random) -> None:
    promises = Promises()
    for number in range(count):
        command = [sys.executable, str(LIFE), str(folder), str(number), "1000000"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            for _ in range(chance.randrange(1, 60)):
                promises.hear(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            promises.hear(child.stdout.read())
        assert child.returncode == -signal.SIGKILL
        promises.assert_kept(folder)


@pytest.mark.fault
def test_an_outbox_killed_a_few_times_at_random_keeps_every_promise(folder):
    kill_again_and_again(folder, KILLS, random.Random(1))


@pytest.mark.soak
def test_an_outbox_killed_a_thousand_times_at_random_keeps_every_promise(folder):
    kill_again_and_again(folder, MANY_KILLS, random.Random(1))

"""A writer at full rate, or a reader beside it: `beside_process.py write|read JOURNAL SECONDS`.

The writer prints how many records it stored, the reader how many it read; anything that must not be ends them with a
traceback and status 1.
"""

import itertools
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ingest.store.journal import Journal, NewRecord, StreamHead, StreamKey
from ingest.store.reader import JournalReader
from metering.record import digest_of

BATCH = 64
SIZE_BYTES = 8_000
STREAMS = [f"{number:026d}" for number in range(4)]


def write(path, end):
    seq = 0
    with Journal.open(path, 1) as journal:
        while time.monotonic() < end:
            with journal.transaction():
                for stream in STREAMS:
                    key = StreamKey("farm", "gw-1", stream)
                    for number in range(seq + 1, seq + BATCH + 1):
                        data = f"{stream} {number} ".encode().ljust(SIZE_BYTES, b"x")
                        slots_ms = (number * 1000, number * 1000 + 999)
                        row = (key, number, "readings", None, number, slots_ms, "demo", None, digest_of(data), data)
                        journal.append(NewRecord(*row))
                    journal.move_head(key, StreamHead(seq + BATCH, digest_of(data)), "demo", seq)
            seq += BATCH
    return seq * len(STREAMS)


def read(path, end):
    reader, cursor, seen = JournalReader(path), 0, 0
    while time.monotonic() < end:
        page = reader.after(cursor, 100)
        check(page)
        if page:
            ids = list(range(cursor + 1, cursor + 1 + len(page)))
            assert [stored.id for stored in page] == ids, "a record is missing"
            cursor = page[-1].id
        seen += len(page)
        heads = {head.stream: head.head for head in reader.heads()}
        assert len(set(heads.values())) <= 1, "half a batch"
        newest = max(heads.values(), default=0)
        stored = list(itertools.islice(reader.records("demo", (newest - 10) * 1000, (newest + 1) * 1000), 50))
        check(stored)
        assert len([row for row in stored if row.stream == STREAMS[0] and row.seq <= newest]) in {0, 11} or newest < 11
        seen += len(stored)
    return seen


def check(stored):
    for row in stored:
        assert digest_of(row.data) == row.digest, "half a record"


role, path, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdout.write(f"{(write if role == 'write' else read)(path, time.monotonic() + seconds)}\n")

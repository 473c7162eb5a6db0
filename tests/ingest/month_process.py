"""Takes records and closes their month in a process that dies at a step: `month_process.py JOURNAL NOW_MS STEP`.

The steps: written, named (renamed, not verified), verified, listed, sweeping (one row of many is swept), never.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ingest.store import closing, months
from ingest.store.journal import Journal

path, now_ms, step = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def die_at(name):
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)


def dying_after(function, name):
    def wrapped(*args, **named):
        result = function(*args, **named)
        die_at(name)
        return result

    return wrapped


months.write = dying_after(months.write, "written")
months.publish = dying_after(months.publish, "named")
with Journal.open(path, now_ms) as journal:
    found = closing.next_month(path, now_ms)
    if found is not None:
        built = closing.build(path, found)
        die_at("verified")
        with journal.transaction():
            journal.closed.add(built, now_ms)
        die_at("listed")
    while journal.closed.to_sweep():
        with journal.transaction():
            journal.closed.sweep(3)
        die_at("sweeping")

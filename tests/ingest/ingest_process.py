"""Ingest in a process of its own, which can be told to die at a point: `ingest_process.py CONFIG [POINT]`.

The points are the rows of the crash table: before-commit, after-commit (before the ack), after-ack (before the PUBACK).
"""

import logging
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ingest import service
from ingest.config import IngestSettings
from ingest.consumer import Consumer
from ingest.errors import IngestError
from ingest.store.journal import Journal
from metering.config import load_toml


def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


def die_before_commit(_journal, _new):
    die()


def die_after_commit(self):
    if self._book.due(self._clock.mono_ms()) and self._journal.gateways():
        die()


def die_after_ack(self, _messages):
    # What was published is on its way: write it out before dying.
    while self._client.want_write():
        self._client.loop_write()
    die()


config, point = sys.argv[1:3]
logging.basicConfig(level=logging.INFO)
if point == "before-commit":
    Journal.append = die_before_commit
elif point == "after-commit":
    service.Service.send_acks = die_after_commit
elif point == "after-ack":
    Consumer.acknowledge = die_after_ack
try:
    service.run(load_toml(Path(config), IngestSettings))
except IngestError as error:
    sys.exit(str(error))

"""The same records in every place that readings can be read from: the journal, and archives made of it."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import fsspec
import numpy as np
import pytest

from ingest.archive import archive
from ingest.intake import Intake
from ingest.store.archive import Archive
from ingest.store.archive_files import ArchiveFolder
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from ingest.store.readings import Evidence
from ingest.store.series import Series
from ingest.store.sources import JournalSource, Source
from metering.keys import KeyRing
from tests.ingest.conftest import MAP, START_MS, FakeGateway

NOW_MS = START_MS + 170 * 86_400_000
"""When all months of all histories are over."""
PLACES = ("journal", "archive on a disk", "archive in object storage")
SCALED_MAP = MAP + 'scale_register = { address = 103 }\nsentinels = ["0x8000"]\n'


class Site:
    """Gateways of one project, and what they made, in a journal and in archives."""

    def __init__(self, folder: Path, gateways: Sequence[FakeGateway]) -> None:
        self.folder = folder
        self.gateways = gateways
        self.disk = Archive(ArchiveFolder(str(folder / "archive")))
        self.objects = Archive(ArchiveFolder(f"memory://{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"))
        self._taken = 0

    @property
    def reader(self) -> JournalReader:
        return JournalReader(self.folder / "journal.sqlite")

    def take(self) -> None:
        """Journal what the gateways made since the last time."""
        ring = KeyRing(tuple(itertools.chain.from_iterable(gateway.ring.entries for gateway in self.gateways)))
        sent = [(gateway.topic, data) for gateway in self.gateways for data in gateway.made]
        with Journal.open(self.folder / "journal.sqlite", NOW_MS) as journal:
            outcomes = Intake(journal, 10_000).take(sent, ring, NOW_MS)
        assert {outcome.action.value for outcome in outcomes} <= {"append", "ignore", "beside", "hole"}, outcomes

    def keep(self, now_ms: int = NOW_MS) -> list:
        """Journal it, and bring both archives up to date; gives the months that the one on the disk got."""
        self.take()
        archive(self.reader, self.objects, now_ms, lambda _: None)
        written: list = []
        archive(self.reader, self.disk, now_ms, written.append)
        return written

    def source(self, place: str) -> Source:
        return {PLACES[0]: JournalSource(self.reader), PLACES[1]: self.disk, PLACES[2]: self.objects}[place]


@pytest.fixture
def new_site(tmp_path) -> Callable[..., Site]:
    """`new_site(gateway, ...)`: each call has a journal and archives of its own."""
    numbers = itertools.count()

    def make(*gateways: FakeGateway) -> Site:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return Site(folder, gateways)

    yield make
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture(params=PLACES)
def place(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Evidence, Evidence], None]:
    """Fails unless two evidences hold the same series, bit for bit."""
    return _assert_same


def _assert_same(one: Evidence, other: Evidence) -> None:
    assert one.keys() == other.keys()
    for key in one.keys():  # noqa: SIM118 - not a dict
        _assert_same_series(one.series(*key), other.series(*key))


def _assert_same_series(one: Series, other: Series) -> None:
    for name in ("time_ms", "value", "quality", "sent_ms", "received_ms", "synced", "binding"):
        mine, its = getattr(one, name), getattr(other, name)
        assert mine.dtype == its.dtype, name
        assert np.array_equal(mine, its), name
    assert one.bindings == other.bindings
    for row in np.flatnonzero(one.valued).tolist():
        if one.bound(row).register.scale_register is not None:
            assert one.step(row) == other.step(row)

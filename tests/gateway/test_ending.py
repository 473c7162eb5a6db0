"""What fails while a gateway ends does not keep it from ending."""

import asyncio
import sqlite3

import pytest
from runkit.box import device, head

from gateway.agent import run
from gateway.config import GatewaySettings
from gateway.errors import OutboxBrokenError
from gateway.uplink import Uplink
from metering.config import parse_toml


@pytest.fixture
def settings(meter, free_port, tmp_path, monkeypatch) -> GatewaySettings:
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    text = head(tmp_path, free_port()) + device(tmp_path, "meter-1", meter.port, 1)
    return parse_toml(text, GatewaySettings, "gateway.toml")


def test_an_uplink_that_fails_on_being_told_to_end_does_not_begin_again(settings, meter, monkeypatch, wait_until):
    async def fail_at_the_end(_uplink: Uplink) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("told by a test")

    monkeypatch.setattr(Uplink, "run", fail_at_the_end)

    async def live() -> None:
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings, stop))
        await asyncio.to_thread(wait_until, lambda: len(meter.asked) >= 3)
        stop.set()
        await asyncio.wait_for(work, 20)

    asyncio.run(live())


def test_an_uplink_that_finds_the_outbox_damaged_ends_the_gateway_without_a_word_of_its_own(
    settings, monkeypatch, caplog
):
    def find_damage(*_: object) -> None:
        error = sqlite3.DatabaseError("told by a test")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    async def meet_damage(uplink: Uplink) -> None:
        await uplink._keeper.do(find_damage)

    monkeypatch.setattr(Uplink, "run", meet_damage)

    async def live() -> None:
        with pytest.raises(OutboxBrokenError, match="is damaged"):
            await asyncio.wait_for(run(settings, asyncio.Event()), 20)

    asyncio.run(live())
    assert "the uplink failed" not in caplog.text

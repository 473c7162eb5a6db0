"""`sakugen demo`: fourteen days over a year's end in minutes, with faults on the way, and the reckoning at the end.

In: where to work and how long to take. Out: a `Report`. The clock is scaled; keep-alives, retries and sealing are not.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from metering.clock import ClockConfig, monotonic_s
from metering.errors import SakugenError
from sakugen.demo import statements
from sakugen.demo.account import Account, account
from sakugen.demo.layout import Layout, write_layout
from sakugen.demo.report import ProjectReport, Report, project_report
from sakugen.demo.sites import SITES
from sakugen.demo.system import Broker, System, choose_ports, embedded_broker
from sakugen.demo.truth import true_reductions

STARTS = datetime.fromisoformat("2025-12-23T22:00:00+08:00")
ENDS = datetime.fromisoformat("2026-01-08T00:00:00+08:00")
DEFAULT_SECONDS = 90.0
_LEAD_S = 15.0
"""The scaled clock stands still this long, so that every part is up when the first slot is due."""
_CUT_AT, _CUT_S = 0.30, 3.0
_KILL_AT, _KILL_S = 0.55, 2.0


class DemoError(SakugenError):
    """The demonstration could not be run to its end."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """When things happen, on the monotonic clock."""

    anchor_s: float
    """When the scaled clock starts to run [s]."""
    seconds: float
    """How long it runs [s]."""

    @property
    def factor(self) -> float:
        """Seconds of scaled clock in one real second."""
        return (ENDS - STARTS).total_seconds() / self.seconds

    def clock(self) -> ClockConfig:
        """The clock for every process."""
        return ClockConfig(kind="scaled", start=STARTS, anchor_s=self.anchor_s, factor=self.factor)

    def at(self, share: float) -> float:
        """The instant when a share of the run is over [s]."""
        return self.anchor_s + share * self.seconds


async def run(
    folder: Path,
    seconds: float,
    say: Callable[[str], None],
    progress: Callable[[float], None],
    *,
    broker: Broker | None = None,
    influxdb: Mapping[str, Any] | None = None,
) -> Report:
    """Run the demonstration.

    Args:
        folder: an empty folder; everything that is written lands there.
        seconds: how long the fourteen days take, from all parts being up [s].
        say: receives one line for each thing that happens.
        progress: receives the share of the run that is over, from 0 to 1.
        broker: another broker than the embedded one.
        influxdb: ingest's `[influxdb]` table; without one nothing is forwarded.

    Raises:
        ProcessError: when a part does not start or end.
        DemoError: when a part ended by itself, or started too late.
    """
    began_s = monotonic_s()
    timeline = Timeline(anchor_s=began_s + _LEAD_S, seconds=seconds)
    ports = choose_ports(broker)
    layout = write_layout(folder, ports, timeline.clock(), influxdb)
    async with System(layout, broker or embedded_broker(ports, folder), say) as system:
        if monotonic_s() > timeline.anchor_s:
            raise DemoError(
                f"the parts took longer than {_LEAD_S:.0f} s to start; end other work on this machine, try again"
            )
        await _play(system, timeline, say, progress)
        if dead := system.dead():
            raise DemoError(f"{dead[0].name} ended by itself; see {dead[0].log}")
        say("the last slot is read: gateways send what they still hold")
        await system.drain()
    say("everything has ended; comparing the ledger with the journal")
    accounts = [account(site.project, layout.ledger, layout.journal) for site in SITES]
    reports = [await _state(layout, each, say) for each in accounts]
    return Report(tuple(reports), wall_s=monotonic_s() - began_s)


async def _play(
    system: System, timeline: Timeline, say: Callable[[str], None], progress: Callable[[float], None]
) -> None:
    faults = asyncio.create_task(_faults(system, timeline, say))
    while (left_s := timeline.at(1.0) - monotonic_s()) > 0:
        progress(max(0.0, 1 - left_s / timeline.seconds))
        await asyncio.sleep(min(left_s, 0.2))
    progress(1.0)
    await faults


async def _faults(system: System, timeline: Timeline, say: Callable[[str], None]) -> None:
    await asyncio.sleep(max(0.0, timeline.at(_CUT_AT) - monotonic_s()))
    say(f"fault: the broker is cut for {_CUT_S:.0f} s and comes back empty")
    await system.cut_broker(_CUT_S)
    await asyncio.sleep(max(0.0, timeline.at(_KILL_AT) - monotonic_s()))
    say(f"fault: ingest is killed (SIGKILL) and started again after {_KILL_S:.0f} s")
    await system.kill_ingest(_KILL_S)


async def _state(layout: Layout, reckoning: Account, say: Callable[[str], None]) -> ProjectReport:
    drawn = await asyncio.to_thread(statements.draw_up, layout, reckoning.project)
    passed = await statements.check(layout, drawn)
    say(f"{reckoning.project}: statement {drawn.digest[:12]}… offline check {'passed' if passed else 'FAILED'}")
    true_tco2e = await asyncio.to_thread(true_reductions, layout, reckoning.project)
    return project_report(reckoning, drawn, true_tco2e, passed=passed)

"""`sakugen up`: three simulated plants and everything behind them, until Ctrl-C.

In: an empty folder and a speed. It prints where to look, shows live progress, opens the first page, and ends the parts
in the order that loses nothing: gateways first, each sending what it has read.
"""

import asyncio
import signal
import webbrowser
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ingest.store.reader import JournalReader
from metering.clock import ClockConfig, monotonic_s, utc_text
from metering.errors import SakugenError
from sakugen.demo.account import account
from sakugen.demo.layout import Layout, Ports, write_layout
from sakugen.demo.run import STARTS
from sakugen.demo.sites import SITES
from sakugen.demo.system import System, choose_ports, embedded_broker

_LEAD_S = 15.0
_REFRESH_S = 1.0


async def run(folder: Path, speed: float, *, open_browser: bool) -> int:
    """Run everything until SIGINT or SIGTERM.

    Args:
        folder: an empty folder; everything that is written lands there.
        speed: seconds of plant time in one real second.
        open_browser: whether to open the first page.

    Returns:
        The exit status: 0 when nothing was lost.
    """
    console = Console(highlight=False, soft_wrap=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ports = choose_ports()
    clock = ClockConfig(kind="scaled", start=STARTS, anchor_s=monotonic_s() + _LEAD_S, factor=speed)
    layout = write_layout(folder, ports, clock)
    async with System(
        layout, embedded_broker(ports, folder), console.print, extras=("compute", "registry", "dashboards")
    ) as system:
        _say_where(console, layout, ports, speed)
        if open_browser:
            webbrowser.open(_console_url(ports))
        await _watch(console, layout, clock, system, stop)
        console.print("ending: gateways send what they still hold …")
    return _reckon(console, layout)


def _console_url(ports: Ports) -> str:
    return f"http://127.0.0.1:{ports.console}/console"


def _say_where(console: Console, layout: Layout, ports: Ports, speed: float) -> None:
    console.print()
    console.print(f"first page     {_console_url(ports)}")
    console.print(f"registry API   http://127.0.0.1:{ports.registry}/v1/projects")
    console.print(f"broker         mqtt://127.0.0.1:{ports.broker} (MQTT 5), topics sakugen/v1/#")
    console.print(f"files          {layout.folder}")
    console.print(f"the plants' clock runs {speed:g} times faster than yours; Ctrl-C ends everything and loses nothing")
    console.print()


async def _watch(console: Console, layout: Layout, clock: ClockConfig, system: System, stop: asyncio.Event) -> None:
    plant_clock = clock.build()
    with Live(console=console, refresh_per_second=2) as live:
        while not stop.is_set():
            live.update(_table(layout, utc_text(plant_clock.now_ms())))
            if dead := system.dead():
                console.print(f"[red]{dead[0].name} ended by itself[/]; see {dead[0].log}")
                return
            try:
                await asyncio.wait_for(stop.wait(), _REFRESH_S)
            except TimeoutError:
                continue


def _table(layout: Layout, now: str) -> Table:
    table = Table(title=f"plant time {now}", title_justify="left")
    for heading in ("gateway", "records in the journal", "last reading of"):
        table.add_column(heading)
    try:
        reader = JournalReader(layout.journal)
        heads = reader.heads()
        for site in SITES:
            records = sum(head.head for head in heads if (head.site, head.gateway) == (site.site, site.gateway))
            slots = [latest.time_ms for latest in reader.latest(site.project)]
            table.add_row(site.gateway_name, f"{records:,}", utc_text(max(slots)) if slots else "waiting")
    except SakugenError:
        table.add_row("waiting for the journal", "", "")
    return table


def _reckon(console: Console, layout: Layout) -> int:
    clean = True
    for site in SITES:
        each = account(site.project, layout.ledger, layout.journal)
        clean = clean and each.clean
        console.print(
            f"{site.project}: {each.served:,} readings served, {each.committed:,} committed, {each.lost} lost,"
            f" {each.duplicated} doubled"
        )
    return 0 if clean else 1

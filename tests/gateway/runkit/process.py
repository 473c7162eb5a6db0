"""`sakugen gateway run` as a process of its own, started, reloaded, stopped, killed; or inside ours."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from runkit.box import records_of, slots_of

from gateway.agent import run
from gateway.config import GatewaySettings
from gateway.reload import Reload

ROOT = Path(__file__).parents[3]


class Gateway:
    """A gateway's folder and the process that runs there; `with` ends what was started."""

    def __init__(self, folder: Path, head: str) -> None:
        """Remember what is run.

        Args:
            folder: holds its files; see `runkit.box.head`.
            head: its configuration up to the devices.
        """
        self.folder = folder
        self.head = head
        self.child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def configure(self, devices: str, head: str | None = None) -> None:
        """Write the file that the next start or reload reads."""
        (self.folder / "gateway.toml").write_text((self.head if head is None else head) + devices)

    def start(
        self,
        *,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> None:
        """Start it.

        Args:
            prefix: runs it through another program.
            environment: on top of ours.
            ready: wait until it says so.
        """
        with (self.folder / "log").open("ab") as log:
            self.child = subprocess.Popen(
                [*prefix, sys.executable, "-m", "sakugen", "gateway", "run", "--config", self.folder / "gateway.toml"],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(environment or {})},
            )  # fmt: skip
        if ready:
            assert self.child.stdout is not None
            assert self.child.stdout.readline().startswith(b"ready "), self.log()

    def reload(self, devices: str, head: str | None = None) -> None:
        self.configure(devices, head)
        self.send(signal.SIGHUP)

    def send(self, number: int) -> None:
        assert self.child is not None
        self.child.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; gives its status."""
        assert self.child is not None
        status = self.child.wait(30)
        self.kill()
        return status

    def stop(self) -> None:
        self.send(signal.SIGTERM)
        assert self.wait() == 0, self.log()

    def kill(self) -> None:
        """End it as the kernel would, if it runs."""
        if self.child is not None and self.child.stdout is not None:
            self.child.kill()
            self.child.wait()
            self.child.stdout.close()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def records(self) -> list:
        return records_of(self.folder)

    def slots(self, name: str) -> list[int]:
        return slots_of(self.records(), f"{name}/all")

    def births(self) -> list:
        return [record for record in self.records() if record.kind == "birth"]


def live(settings: GatewaySettings, *steps: Callable[[], None], reload: Reload | None = None) -> None:
    """Run a gateway; each step waits for something, or changes it."""

    async def story() -> None:
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings, stop, reload))
        for step in steps:
            await asyncio.to_thread(step)
        stop.set()
        await work

    asyncio.run(story())

"""Child processes of `up` and `demo`: start one, wait until it says `ready`, stop it, kill it.

Each child writes to a log file of its own, so that nothing has to be drained and everything can be read afterwards.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from metering.clock import monotonic_s
from metering.errors import SakugenError

_READY = "ready "
_POLL_S = 0.05
_TAIL_LINES = 15


class ProcessError(SakugenError):
    """A child process that did not start, or ended by itself."""


class Child:
    """One `sakugen …` process."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        """Note what to run; nothing is started.

        Args:
            name: what people call it, for example "gateway gw-solar".
            arguments: the command line after `sakugen`.
            log: where its output goes.
        """
        self.name = name
        self.log = log
        self._command = [sys.executable, "-m", "sakugen", *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        """Start it; it is not ready yet."""
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches only us, and we end the parts in the order that loses nothing.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        """What it has written since it was last started."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    async def wait_ready(self, timeout_s: float) -> str:
        """Wait for its `ready` line.

        Returns:
            The line without the word `ready`.

        Raises:
            ProcessError: when it ended, or was not ready in time; with the end of its output.
        """
        deadline = monotonic_s() + timeout_s
        while True:
            for line in self.output().splitlines():
                if line.startswith(_READY):
                    return line.removeprefix(_READY)
            if not self.is_running:
                raise ProcessError(f"{self.name} ended before it was ready:\n{self._tail()}")
            if monotonic_s() > deadline:
                raise ProcessError(f"{self.name} was not ready within {timeout_s:.0f} s:\n{self._tail()}")
            await asyncio.sleep(_POLL_S)

    async def stop(self, timeout_s: float = 20.0) -> int | None:
        """Ask it to end (SIGTERM) and wait; kill it when it does not.

        Returns:
            Its exit status; None when it was not running.
        """
        if self._process is None:
            return None
        if self.is_running:
            self._process.terminate()
        deadline = monotonic_s() + timeout_s
        while self.is_running and monotonic_s() < deadline:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(_POLL_S)
        return self._reap()

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self._reap()

    def _reap(self) -> int | None:
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        status = self._process.wait()
        self._process = None
        return status

    def _tail(self) -> str:
        lines = self.output().splitlines()[-_TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (no output)"


async def run_to_end(name: str, arguments: Sequence[str], timeout_s: float) -> tuple[int, str]:
    """Run one `sakugen …` command that ends by itself.

    Returns:
        Its exit status and what it wrote to stdout.

    Raises:
        ProcessError: when it did not end in time.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sakugen", *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        stdout, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ProcessError(f"{name} did not end within {timeout_s:.0f} s") from None
    return process.returncode or 0, stdout.decode(errors="replace")

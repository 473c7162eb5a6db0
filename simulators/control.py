"""In: one line of JSON from a local socket. Out: faults that begin and end while the simulators run, and one line back.

The socket is a file beside the ledger, so whoever may write there may break the plants, and nobody else.
"""

import asyncio
import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metering.clock import Clock
from simulators.errors import ControlError
from simulators.faults import Fault, FaultBoard, FaultKind

_LONGEST_LINE = 65_536
_PATIENCE_S = 10.0


class Order(BaseModel):
    """What a caller asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: Literal["begin", "end", "list"]
    project: str = ""
    """The plant, by its project; it may be empty where there is one plant only."""
    kind: FaultKind | None = None
    """For "begin" the kind; for "end" empty ends all kinds."""
    device: str = ""
    """One device; empty for all."""
    seconds: float | None = Field(default=None, gt=0)
    """For how long, on the plants' clock; empty for ever [s]."""
    amount: float | None = None


class Answer(BaseModel):
    """What the simulators say."""

    model_config = ConfigDict(frozen=True)

    trouble: str = ""
    """Why nothing was done; empty when it was."""
    faults: dict[str, tuple[Fault, ...]] = {}
    """Project to every fault that it has or will have."""


class Control:
    """The socket of running simulators; listens within `async with`."""

    def __init__(
        self, path: Path, boards: Mapping[str, FaultBoard], devices: Mapping[str, set[str]], clock: Clock
    ) -> None:
        """Keep what can be broken.

        Args:
            path: where the socket appears.
            boards: the faults of each plant, by project.
            devices: the names of its devices.
            clock: the plants' clock.
        """
        self._path = path
        self._boards = boards
        self._devices = devices
        self._clock = clock
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ControlError: when the socket cannot be made.
        """
        self._path.unlink(missing_ok=True)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_LONGEST_LINE)
        except OSError as error:
            raise ControlError(
                f"simulators: {self._path} cannot be listened on: {error}; choose another `control`"
            ) from None
        self._path.chmod(0o600)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the socket and take its file away."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = self.obey(await asyncio.wait_for(reader.readline(), _PATIENCE_S))
        except (TimeoutError, ValueError):
            answer = Answer(trouble="one line of JSON is expected")
        writer.write(answer.model_dump_json().encode() + b"\n")
        writer.close()

    def obey(self, line: bytes) -> Answer:
        """Do what a line asks for."""
        try:
            order = Order.model_validate_json(line)
            board = self._board(order)
            if order.do == "begin":
                board.add(self._fault(order))
            elif order.do == "end":
                board.clear(order.kind, order.device)
        except ControlError as error:
            return Answer(trouble=str(error))
        except ValidationError as error:
            return Answer(trouble="; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
        return Answer(faults={project: each.all for project, each in self._boards.items()})

    def _board(self, order: Order) -> FaultBoard:
        project = order.project or next(iter(self._boards))
        if project not in self._boards or (not order.project and len(self._boards) > 1 and order.do != "list"):
            raise ControlError(f"no plant of project {order.project!r}; there are: {', '.join(self._boards)}")
        known = self._devices[project]
        if order.device and order.device not in known:
            raise ControlError(f"{project} has no device {order.device!r}; it has: {', '.join(sorted(known))}")
        return self._boards[project]

    def _fault(self, order: Order) -> Fault:
        start = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        end = None if order.seconds is None else start + timedelta(seconds=order.seconds)
        return Fault.model_validate(
            {"kind": order.kind, "device": order.device, "start": start, "end": end, "amount": order.amount}
        )


def ask(path: Path, order: Order) -> Answer:
    """Ask running simulators.

    Args:
        path: their socket.
        order: what they should do.

    Raises:
        ControlError: when nobody answers there, or the order was not followed.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(_PATIENCE_S)
            line.connect(str(path))
            line.sendall(order.model_dump_json().encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = Answer.model_validate(json.loads(answers.readline()))
    except (OSError, ValueError) as error:
        raise ControlError(f"no simulators answer at {path}: {error}; is `sakugen simulate run` up?") from None
    if answer.trouble:
        raise ControlError(answer.trouble)
    return answer

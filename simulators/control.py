"""In: one line of JSON from a local socket. Out: faults that begin and end while the simulators run, and one line back.

The socket is a file beside the ledger, so whoever may write there may break the plants, and nobody else.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metering.clock import Clock
from simulators.errors import ControlError
from simulators.faults import Fault, FaultKind, why_nothing_shows
from simulators.snapshot import Snapshot

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from simulators.modbus import Devices

_LONGEST_LINE = 65_536
_PATIENCE_S = 10.0


class Order(BaseModel):
    """What a caller asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: Literal["begin", "end", "list", "show"]
    project: str = ""
    """The plant, by its project; it may be empty where there is one plant only."""
    kind: FaultKind | None = None
    """For "begin" the kind; for "end" empty ends all kinds."""
    device: str = ""
    """One device; empty for all."""
    seconds: float | None = Field(default=None, gt=0)
    """For how long, on the plants' clock; empty for ever [s]."""
    amount: float | None = None
    most: int = Field(default=0, ge=0)
    """For "show" without a device: of how many devices to tell values."""


class Answer(BaseModel):
    """What the simulators say."""

    model_config = ConfigDict(frozen=True)

    trouble: str = ""
    """Why nothing was done; empty when it was."""
    faults: dict[str, tuple[Fault, ...]] = {}
    """Project to every fault that it has or will have."""
    seen: Snapshot | None = None
    """What was asked to be shown."""


Look = Callable[..., Awaitable[Snapshot]]
"""Takes a snapshot: `simulators.view.snapshot` without its first two arguments."""


class Control:
    """The socket of running simulators; listens within `async with`."""

    def __init__(self, path: Path, plants: "Mapping[str, Devices]", clock: Clock, look: Look) -> None:
        """Keep what can be broken.

        Args:
            path: where the socket appears.
            plants: the devices of each plant, with their faults, by project.
            clock: the plants' clock.
            look: what takes a snapshot.
        """
        self._path = path
        self._plants = plants
        self._clock = clock
        self._look = look
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
            line = await asyncio.wait_for(reader.readline(), _PATIENCE_S)
        except (TimeoutError, ValueError):
            answer = Answer(trouble="one line of JSON is expected")
        else:
            answer = await self.obey(line)
        writer.write(answer.model_dump_json().encode() + b"\n")
        writer.close()

    async def obey(self, line: bytes) -> Answer:
        """Do what a line asks for."""
        try:
            order = Order.model_validate_json(line)
            if order.do == "show":
                return Answer(seen=await self._look(project=order.project, device=order.device, most=order.most))
            plant = self._plant(order)
            if order.do == "begin":
                plant.faults.add(self._fault(order, plant))
            elif order.do == "end":
                plant.faults.clear(order.kind, order.device)
        except ControlError as error:
            return Answer(trouble=str(error))
        except ValidationError as error:
            return Answer(trouble="; ".join(map(_in_words, error.errors())))
        return Answer(faults={project: each.faults.all for project, each in self._plants.items()})

    def _plant(self, order: Order) -> "Devices":
        project = order.project or next(iter(self._plants))
        if not order.project and len(self._plants) > 1 and order.do != "list":
            raise ControlError(f"there are several plants; say which project: {', '.join(self._plants)}")
        if project not in self._plants:
            raise ControlError(f"no plant of project {order.project!r}; there are: {', '.join(self._plants)}")
        known = {each.name for each in self._plants[project].instruments}
        if order.device and order.device not in known:
            raise ControlError(f"{project} has no device {order.device!r}; it has: {', '.join(sorted(known))}")
        return self._plants[project]

    def _fault(self, order: Order, plant: "Devices") -> Fault:
        if order.kind is not None and not plant.can_have(order.kind, order.device):
            raise ControlError(why_nothing_shows(order.kind, order.device))
        start = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        end = None if order.seconds is None else start + timedelta(seconds=order.seconds)
        return Fault.model_validate(
            {"kind": order.kind, "device": order.device, "start": start, "end": end, "amount": order.amount}
        )


def _in_words(error: "ErrorDetails") -> str:
    where = ".".join(map(str, error["loc"]))
    return (f"{where}: " if where else "") + error["msg"].removeprefix("Value error, ")


def refuse_second(path: Path) -> None:
    """Let simulators start only where no others run.

    Raises:
        ControlError: others answer at that socket; two would write one ledger.
    """
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(str(path))
        raise ControlError(
            f"simulators: others run here already and answer at {path}; end them, or start these in another folder or"
            " with another `ledger` in their --config"
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
        raise ControlError(
            f"no simulators answer at {path}: {error}; is `sakugen simulate run` up? Where its ready line names another"
            " ledger, say --control with that path and the suffix .control"
        ) from None
    if answer.trouble:
        raise ControlError(answer.trouble)
    return answer

"""The buses of a configuration: what kinds of line there are, what each needs, and what does not fit together."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from metering.topics import NAME_PATTERN

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Problem = tuple[tuple[int | str, ...], object, str]
"""Where it is, what stands there, what is wrong and allowed."""


class Table(BaseModel):
    """A table of the file: unknown keys are faults, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(Table):
    """Encryption towards a peer, and who we are to it."""

    ca_file: Path | None = None
    """Certificates to trust; default: the system's."""
    cert_file: Path | None = None
    """This gateway's certificate, when the peer asks for one."""
    key_file: Path | None = None


class BusKind(StrEnum):
    """What carries the frames."""

    TCP = "tcp"
    """Modbus TCP."""
    TLS = "tls"
    """Modbus TCP inside TLS, with a client certificate."""
    RTU = "rtu"
    """A serial port."""
    RTU_OVER_TCP = "rtu-over-tcp"
    """A converter that passes the bytes of a serial line through."""

    @property
    def is_rtu(self) -> bool:
        """Whether frames are those of a serial line, which do not say what they answer."""
        return self in (BusKind.RTU, BusKind.RTU_OVER_TCP)


_PORTS = {BusKind.TCP: 502, BusKind.RTU_OVER_TCP: 502, BusKind.TLS: 802}
_ONLY = {
    "path": (BusKind.RTU,),
    "baud": (BusKind.RTU, BusKind.RTU_OVER_TCP),
    "parity": (BusKind.RTU, BusKind.RTU_OVER_TCP),
    "stop_bits": (BusKind.RTU, BusKind.RTU_OVER_TCP),
    "host": tuple(_PORTS),
    "port": tuple(_PORTS),
    "tls": (BusKind.TLS,),
}
_NEEDED = {
    BusKind.TCP: ("host",),
    BusKind.TLS: ("host", "tls"),
    BusKind.RTU: ("path", "baud"),
    BusKind.RTU_OVER_TCP: ("host",),
}
_FAST_BAUD = 19_200
_FAST_SILENCE_S = 0.00175
_SILENT_CHARACTERS = 3.5


class BusSettings(Table):
    """A line with several devices: one request at a time."""

    name: Name
    kind: BusKind
    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    """Default: 502, for TLS 802."""
    tls: TlsSettings | None = None
    path: str | None = None
    """The serial port; a path under /dev/serial/by-id stays the same when ports are renumbered."""
    baud: int | None = Field(default=None, ge=300, le=1_000_000)
    """Speed of the serial line [bit/s]; behind a converter it only says how long an answer takes to arrive."""
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    turnaround_ms: float | None = Field(default=None, ge=0, le=10_000)
    """Silence before each request [ms]; default: what the standard asks for at this speed."""

    @property
    def where(self) -> str:
        """Where it leads, for people."""
        return f"{self.path}" if self.kind is BusKind.RTU else f"{self.host}:{self.tcp_port}"

    @property
    def tcp_port(self) -> int:
        """The TCP port of a bus that has one."""
        return self.port or _PORTS[self.kind]

    @property
    def character_bits(self) -> int:
        """One byte on a serial line: start, eight data bits, parity, stop."""
        return 9 + (self.parity != "N") + self.stop_bits

    @property
    def byte_s(self) -> float:
        """How long one byte takes on a serial line; 0 where the line is not what takes the time [s]."""
        return self.character_bits / self.baud if self.baud else 0.0

    @property
    def silence_s(self) -> float:
        """How long the line must be silent before a request [s]."""
        if self.turnaround_ms is not None:
            return self.turnaround_ms / 1000
        if self.baud is None:
            return 0.0
        # Modbus over serial line 1.02, section 2.5.1.1: above 19200 bit/s a fixed time.
        return _FAST_SILENCE_S if self.baud > _FAST_BAUD else _SILENT_CHARACTERS * self.byte_s


def tcp_bus(host: str, port: int) -> BusSettings:
    """Describe the line of a device that has an address of its own."""
    # Its name stands in no file, and an address is no name.
    return BusSettings.model_construct(name=f"{host}:{port}", kind=BusKind.TCP, host=host, port=port)


def bus_problems(buses: tuple[BusSettings, ...]) -> Iterator[Problem]:
    """Say what is wrong with buses, each by itself and together."""
    names: set[str] = set()
    ports: dict[str, str] = {}
    for i, bus in enumerate(buses):
        if bus.name in names:
            yield ("bus", i, "name"), bus.name, "used twice; each bus needs a name of its own"
        names.add(bus.name)
        missing = [key for key in _NEEDED[bus.kind] if getattr(bus, key) is None]
        for key in missing:
            yield ("bus", i, "kind"), bus.kind.value, f"a bus of this kind needs {key!r}"
        for key in sorted(bus.model_fields_set & _ONLY.keys()):
            if bus.kind not in _ONLY[key]:
                allowed = " or ".join(repr(kind.value) for kind in _ONLY[key])
                yield ("bus", i, key), getattr(bus, key), f"belongs to a bus of kind {allowed}; remove it"
        if bus.tls is not None and (bus.tls.cert_file is None) != (bus.tls.key_file is None):
            yield ("bus", i, "tls"), None, "cert_file and key_file belong together: give both or neither"
        if not missing and bus.where in ports:
            key = "path" if bus.kind is BusKind.RTU else "host"
            yield (
                ("bus", i, key),
                getattr(bus, key),
                f"bus {ports[bus.where]!r} leads there already; two masters disturb each other",
            )
        ports.setdefault(bus.where, bus.name)

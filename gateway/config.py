"""The gateway's configuration file: its model is its manual.

Every cross-check names the key it is about, so that `sakugen config check` shows file, line, value and what is
allowed. Device maps are read here too: a file that passes can be run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from gateway.bounds import Bounds, Policy
from gateway.budget import overload
from gateway.buses import BusSettings, Name, Problem, Table, TlsSettings, bus_problems, tcp_bus
from gateway.errors import PlanError
from gateway.layout import lay_out
from gateway.maps import load_map
from gateway.plan import limits_of, plan_blocks
from metering.clock import ClockConfig
from metering.devicemap import DeviceMap
from metering.errors import DeviceMapError
from metering.keys import VerifierText
from metering.measurands import MEASURANDS
from metering.topics import GatewayId

Location = tuple[int | str, ...]
_DAY_S = 86_400


T = TypeVar("T")


def _not_empty(items: tuple[T, ...]) -> tuple[T, ...]:
    # Not min_length: that also complains about a tuple whose one item has a fault of its own.
    if not items:
        raise ValueError("must not be empty")
    return items


class BrokerSettings(Table):
    """The MQTT broker."""

    host: str
    port: int = Field(default=1883, ge=1, le=65535)
    protocol: Literal[4, 5] = 5
    """5 for MQTT 5, 4 for MQTT 3.1.1."""
    username: str | None = None
    password_file: Path | None = None
    """A file that holds the password and nothing else."""
    tls: TlsSettings | None = None


class MetricsSettings(Table):
    """Where Prometheus may scrape."""

    host: str = "127.0.0.1"
    """What to listen at; the numbers are for whoever reaches it."""
    port: int = Field(ge=1, le=65535)


class MeterSettings(Table):
    """The instrument, as its plate says."""

    make: str
    model: str
    serial: str


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class PointSettings:
    """What is read for one metering point; the register follows from the device map."""

    # There are thousands of these in a gateway: as a model each would take eight times the memory.

    point: Name
    measurand: str


class GroupSettings(Table):
    """Registers that are polled together."""

    name: Name
    interval_s: int = Field(gt=0, le=_DAY_S)
    """Distance of slots; a whole number of slots must fill a day [s]."""
    points: Annotated[tuple[PointSettings, ...], AfterValidator(_not_empty)]


class DeviceSettings(Table):
    """One Modbus device: on a bus that it shares, or at a TCP address of its own."""

    name: Name
    map: str
    """A device map's name, `sunspec/MODEL@ADDRESS`, or the path of a .toml file."""
    bus: Name | None = None
    """One of the buses of this file."""
    host: str | None = None
    """Where it is when it is on no bus."""
    port: int = Field(default=502, ge=1, le=65535)
    unit_id: int = Field(default=1, ge=0, le=255)
    timeout_s: float | None = Field(default=None, gt=0, le=60)
    """How long it may take to begin its answer [s]; default: what its map says, or 1."""
    meter: MeterSettings
    group: Annotated[tuple[GroupSettings, ...], AfterValidator(_not_empty)]


class GatewaySettings(Table):
    """Everything one gateway instance needs. One instance serves one project."""

    site: Name
    gateway: Name
    project: Name
    mode: Literal["live", "test"] = "live"
    """Readings of a gateway in mode "test" are never creditable."""
    data_dir: Path
    """Where the outbox lives; one folder an instance."""
    key_file: Path
    """This gateway's private key, made by `sakugen keys new`."""
    ack_keys: Annotated[tuple[VerifierText, ...], AfterValidator(_not_empty), Field(max_length=2)]
    """The public keys whose acknowledgements may delete; two while one is being replaced."""
    seal_after_s: float = Field(default=60.0, gt=0)
    """Longest wait of a committed slot for its record, in real time [s]."""
    keep_days: int = Field(default=35, ge=1)
    """How long acknowledged records stay as copies [d]."""
    max_bytes: int = Field(default=Bounds().max_bytes, ge=1_000_000)
    """How large the outbox may become [bytes]; copies of acknowledged records go first."""
    when_full: Policy = Policy.THIN
    """What goes when it is full without copies: "thin" keeps one slot of each counter an hour, "stop" reads no more
    until there is space, "drop_oldest" gives up the oldest readings whole."""
    broker: BrokerSettings
    metrics: MetricsSettings | None = None
    """Absent: no metrics are shown."""
    clock: ClockConfig = ClockConfig()
    bus: tuple[BusSettings, ...] = ()
    device: Annotated[tuple[DeviceSettings, ...], AfterValidator(_not_empty)]

    @property
    def gateway_id(self) -> GatewayId:
        """The gateway's name on the wire."""
        return GatewayId(self.site, self.gateway)

    def bus_of(self, device: DeviceSettings) -> BusSettings:
        """Find the line on which a device is; one with an address of its own has a line of its own."""
        if device.host is not None:
            return tcp_bus(device.host, device.port)
        return next(bus for bus in self.bus if bus.name == device.bus)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*_reserved(self), *bus_problems(self.bus), *_places(self), *_used_twice(self)]
        problems += [*_intervals(self), *_maps(self)]
        problems = problems or [*_budgets(self)]
        problems = problems or [*_birth(self)]
        if problems:
            raise ValidationError.from_exception_data(
                "GatewaySettings",
                [
                    InitErrorDetails(
                        type=PydanticCustomError("cross_check", "{problem}", {"problem": text}), loc=where, input=value
                    )
                    for where, value, text in problems
                ],
            )
        return self


def _reserved(settings: GatewaySettings) -> Iterator[Problem]:
    if settings.site == "ingest":
        yield (
            ("site",),
            settings.site,
            "'ingest' cannot be a site: its topics belong to the ingest service; choose another name",
        )


def _places(settings: GatewaySettings) -> Iterator[Problem]:
    buses = {bus.name: bus for bus in settings.bus}
    led_to = {bus.where: bus.name for bus in settings.bus}
    taken: dict[tuple[str, int, str], str] = {}
    for i, device in enumerate(settings.device):
        where = ("device", i)
        if device.bus is None and device.host is None:
            yield (*where, "name"), device.name, "needs either bus = the name of a [[bus]], or host"
            continue
        if device.bus is not None and (device.host is not None or "port" in device.model_fields_set):
            key = "host" if device.host is not None else "port"
            yield (*where, key), getattr(device, key), f"bus {device.bus!r} says where this device is; remove one"
            continue
        if device.bus is not None and device.bus not in buses:
            allowed = ", ".join(sorted(buses)) or "none, there is no [[bus]]"
            yield (*where, "bus"), device.bus, f"unknown bus; allowed: {allowed}"
            continue
        place = f"{device.host}:{device.port}"
        if device.host is not None and place in led_to:
            yield (*where, "host"), device.host, f"bus {led_to[place]!r} leads there; say bus instead of host"
        if device.bus is not None and buses[device.bus].kind.is_rtu and not 1 <= device.unit_id <= 247:
            yield (*where, "unit_id"), device.unit_id, "on a serial line a unit id lies between 1 and 247"
        # An inverter and the meter behind it often answer at one unit id, each under a map of its own.
        address = (device.bus or place, device.unit_id, device.map)
        if address in taken:
            which = "bus" if device.bus else "host, port"
            what = f"device {taken[address]!r} has the same {which}, unit id and map: add its poll groups there"
            yield (*where, "unit_id"), device.unit_id, what
        taken.setdefault(address, device.name)


def _used_twice(settings: GatewaySettings) -> Iterator[Problem]:
    devices: set[str] = set()
    points: dict[tuple[str, str], str] = {}
    for i, device in enumerate(settings.device):
        if device.name in devices:
            yield ("device", i, "name"), device.name, "used twice; each device needs a name of its own"
        devices.add(device.name)
        names = [group.name for group in device.group]
        for j, group in enumerate(device.group):
            if group.name in names[:j]:
                yield ("device", i, "group", j, "name"), group.name, "used twice in this device; choose another name"
            for k, point in enumerate(group.points):
                key, place = (point.point, point.measurand), f"{device.name}/{group.name}"
                if key in points:
                    where = ("device", i, "group", j, "points", k, "point")
                    yield (
                        where,
                        point.point,
                        f"{point.measurand} of this point is already read by {points[key]}; remove one",
                    )
                points.setdefault(key, place)


def _intervals(settings: GatewaySettings) -> Iterator[Problem]:
    for i, device in enumerate(settings.device):
        for j, group in enumerate(device.group):
            if _DAY_S % group.interval_s:
                where = ("device", i, "group", j, "interval_s")
                yield where, group.interval_s, "must divide a day (86400 s), for example 1, 10, 60, 300, 900 or 3600"


def _maps(settings: GatewaySettings) -> Iterator[Problem]:
    for i, device in enumerate(settings.device):
        try:
            device_map: DeviceMap | None = load_map(device.map)
        except DeviceMapError as error:
            yield ("device", i, "map"), device.map, str(error)
            device_map = None
        for j, group in enumerate(device.group):
            yield from _points(device_map, ("device", i, "group", j), device.map, group)


def _points(device_map: DeviceMap | None, where: Location, map_name: str, group: GroupSettings) -> Iterator[Problem]:
    registers = []
    for k, point in enumerate(group.points):
        here = (*where, "points", k, "measurand")
        if point.measurand not in MEASURANDS:
            yield here, point.measurand, f"unknown measurand; allowed: {', '.join(sorted(MEASURANDS))}"
        elif device_map is not None:
            register = device_map.register_for(point.measurand)
            if register is None:
                held = ", ".join(sorted({register.measurand.name for register in device_map.registers}))
                yield here, point.measurand, f"device map {map_name!r} has no register for it; allowed: {held}"
            else:
                registers.append(register)
    try:
        plan_blocks(registers, None if device_map is None else limits_of(device_map))
    except PlanError as error:
        yield (*where, "points"), group.name, str(error)


def _budgets(settings: GatewaySettings) -> Iterator[Problem]:
    """Refuse what no line can carry; everything else is right."""
    laid = lay_out(settings)
    places = [(i, j) for i, device in enumerate(settings.device) for j in range(len(device.group))]
    by_name = {part.group.name: place for part, place in zip(laid, places, strict=True)}
    for line in dict.fromkeys(part.line for part in laid):
        found = overload(line, [part.load for part in laid if part.line == line])
        if found is not None:
            i, j = by_name[found.group]
            yield ("device", i, "group", j, "interval_s"), settings.device[i].group[j].interval_s, found.problem


def _birth(settings: GatewaySettings) -> Iterator[Problem]:
    from gateway.birth import birth_problem  # noqa: PLC0415 - a birth is made from settings

    problem = birth_problem(settings)
    if problem is not None:
        yield ("device",), f"{len(settings.device)} devices", problem


SAMPLE = """\
# Sakugen gateway. One file per instance; one instance serves one project.
site = "mongolia-farm"
gateway = "gw-solar"
project = "demo-solar"
# mode = "live"                # "test": readings are never creditable
data_dir = "data/gw-solar"     # the outbox lives here
key_file = "keys/gw-solar.key" # made by `sakugen keys new`
# The public key of your ingest, not this one; two while one is being replaced.
ack_keys = ["ack+d5b53440+ARMJTpW70lqKUsf0Sk8T5Tj0Fe28oa9Jp0GN/iqy2U7R"]
# seal_after_s = 60.0          # longest wait of a slot for its record, in real time [s]
# keep_days = 35               # acknowledged records stay as copies [d]
# max_bytes = 2000000000       # how large the outbox may become [bytes]; copies go first
# when_full = "thin"           # "stop": read no more; "drop_oldest": give up the oldest readings whole

[broker]
host = "127.0.0.1"
# port = 1883
# protocol = 5                 # 4 for MQTT 3.1.1
# username = "gw-solar"
# password_file = "keys/broker.password"
# [broker.tls]
# ca_file = "keys/ca.pem"      # default: the system's certificates
# cert_file = "keys/gw-solar.pem"
# key_file = "keys/gw-solar.pem.key"

# [metrics]                    # for Prometheus; absent: nobody listens
# host = "127.0.0.1"
# port = 9464

# [clock]
# kind = "system"

# Several devices on one line. kind: "rtu" (a serial port), "rtu-over-tcp" (a converter that passes bytes through),
# "tcp" (several units behind one address) or "tls" (port 802). Such a device says bus = "..." instead of host.
## [[bus]]
## name = "cabinet"
## kind = "rtu"
## path = "/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0"
## baud = 9600
## parity = "N"                # "E" or "O"
## stop_bits = 1
## turnaround_ms = 50          # silence before each request [ms]; default: 3.5 characters
##
## [[bus]]
## name = "substation"
## kind = "tls"
## host = "192.0.2.20"
## port = 802
## tls = { ca_file = "keys/site-ca.pem", cert_file = "keys/gw-solar.pem", key_file = "keys/gw-solar.pem.key" }

[[device]]
name = "revenue-meter"
map = "schneider_iem3000"      # a name of `sakugen devices list`, sunspec/MODEL@ADDRESS, or the path of a .toml file
host = "192.0.2.10"
# port = 502
## bus = "cabinet"             # instead of host and port
# unit_id = 1
# timeout_s = 1.0              # how long it may take to begin its answer [s]; default: its map's, or 1
meter = { make = "Schneider Electric", model = "iEM3155", serial = "23148557" }

[[device.group]]
name = "energy"
interval_s = 900               # must divide a day [s]
points = [{ point = "ac-bus", measurand = "energy_export_total_wh" }]
"""
"""A commented sample of the file; a test compares it with the model."""

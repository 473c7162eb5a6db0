"""In: the simulators' TOML file. Out: `SimulatorSettings`; its defaults run the three demonstration plants."""

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from metering.clock import ClockConfig
from simulators.faults import Fault, why_nothing_shows
from simulators.roster import DEVICES, ROSTER, PlantName, PowerSource
from simulators.scenarios import SCENARIOS
from simulators.sites.ready import READY
from simulators.value_faults import can_have

_UNITS_W = {"W": 1.0, "kW": 1e3, "MW": 1e6, "GW": 1e9}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(W|kW|MW|GW)\s*")


def watts_of(text: str) -> float:
    """Read a size with its unit, such as "8.3MW" [W].

    Raises:
        ValueError: it is none.
    """
    found = _SIZE.fullmatch(text)
    if found is None or float(found[1]) <= 0:
        raise ValueError(f'{text!r} is no size: a number and W, kW, MW or GW, for example "8.3 MW"')
    return float(found[1]) * _UNITS_W[found[2]]


Transport = Literal["tcp", "tls", "rtu-over-tcp", "rtu"]


class PlantSettings(BaseModel):
    """One `[[plants]]` table: a plant, its project, and the line that all its devices share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plant: PlantName
    """The kind of plant; simulators/README.md lists them."""
    project: str = Field(min_length=1)
    """The project whose readings these are; the ledger keeps it beside every answer."""
    site: str = Field(min_length=1)
    """The site on which the plant stands."""
    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 in a container."""
    port: int = Field(default=0, ge=0, le=65535)
    """The port; devices differ by unit id. 0 takes any free port and the ready line names it."""
    transport: Transport = "tcp"
    """How Modbus is spoken: TCP, TLS, RTU frames over TCP, or RTU on a pair of pseudo terminals."""
    certificate: Path | None = None
    """With transport "tls": the server's certificate (PEM)."""
    key: Path | None = None
    """With transport "tls": its private key (PEM)."""
    client_ca: Path | None = None
    """With transport "tls": clients must show a certificate of this authority (PEM); empty for any client."""
    serial: Path | None = None
    """With transport "rtu": the device file that appears; a Modbus master opens it, without parity."""
    baudrate: int = Field(default=9600, ge=1200, le=115_200)
    """With transport "rtu": the pace of the line, 11 bits a character."""
    fault: tuple[Fault, ...] = ()
    """What goes wrong on purpose, and when."""
    power: PowerSource = "synthetic"
    """Of the solar plant: "synthetic", or "measured" to replay one-minute AC power from the package pvanalytics."""
    ready: str = ""
    """A ready site of docs/sites.md, of the same kind of plant; empty for the plant of the demonstration."""
    size: str = ""
    """What the plant is rated at, as "8.3 MW": every flow and power of it in proportion; empty for its own size."""
    scenario: str = ""
    """A story of faults that `docs/simulators.md` tells, from `scenario_from` on."""
    scenario_from: AwareDatetime | None = None
    """When the story begins; empty for when the simulators start."""
    devices: tuple[str, ...] = ()
    """The devices that answer, by name; empty for all. One that is left out answers as an absent unit does."""

    @model_validator(mode="after")
    def _devices_exist(self) -> Self:
        allowed = DEVICES[self.plant]
        unknown = [name for name in self.devices if name not in allowed]
        if unknown:
            raise ValueError(f"plant {self.plant!r} has no device {unknown[0]!r}; it has {', '.join(allowed)}")
        strangers = [fault.device for fault in self.fault if fault.device and fault.device not in allowed]
        if strangers:
            raise ValueError(f"a fault is of device {strangers[0]!r}; plant {self.plant!r} has {', '.join(allowed)}")
        for fault in self.fault:
            sheets = [each.device for each in ROSTER[self.plant].devices if fault.device in {"", each.name}]
            if not any(can_have(sheet, fault.kind) for sheet in sheets):
                raise ValueError(why_nothing_shows(fault.kind, fault.device))
        if self.power == "measured" and self.plant != "solar":
            raise ValueError(f'power = "measured" belongs to a solar plant; remove it from plant {self.plant!r}')
        return self

    @model_validator(mode="after")
    def _ready_site_exists(self) -> Self:
        allowed = [name for name, site in READY.items() if site.plant == self.plant]
        if self.ready and self.ready not in allowed:
            known = ", ".join(allowed) or "none"
            raise ValueError(f"no ready site {self.ready!r} is a plant {self.plant!r}; there are: {known}")
        if self.ready and self.power == "measured":
            raise ValueError('a ready site has its own weather: remove power = "measured" or ready')
        return self

    @field_validator("size")
    @classmethod
    def _size_is_one(cls, text: str) -> str:
        if text:
            watts_of(text)
        return text

    @field_validator("scenario")
    @classmethod
    def _scenario_exists(cls, name: str) -> str:
        if name and name not in SCENARIOS:
            raise ValueError(f"no scenario {name!r}; there are: {', '.join(SCENARIOS)}")
        return name

    @property
    def rated_w(self) -> float | None:
        """What the plant is rated at [W]; None for its own size."""
        return watts_of(self.size) if self.size else None

    def faults_from(self, start: datetime) -> tuple[Fault, ...]:
        """Everything that goes wrong on purpose.

        Args:
            start: when the simulators start.
        """
        if not self.scenario:
            return self.fault
        names = self.devices or DEVICES[self.plant]
        return (*self.fault, *SCENARIOS[self.scenario].faults(self.scenario_from or start, names))

    @model_validator(mode="after")
    def _line_is_whole(self) -> Self:
        needed = {"tls": ("certificate", "key"), "rtu": ("serial",)}
        asked = needed.get(self.transport, ())
        if missing := [name for name in asked if getattr(self, name) is None]:
            raise ValueError(f'transport = "{self.transport}" needs {missing[0]}')
        others = [name for name in ("certificate", "key", "serial") if name not in asked and getattr(self, name)]
        if others:
            raise ValueError(f'{others[0]} does not belong to transport = "{self.transport}"')
        return self


DEMONSTRATION_PLANTS = (
    PlantSettings(plant="solar", project="demo-solar", site="mongolia-farm", port=15020),
    PlantSettings(plant="heat-only-boiler", project="demo-boiler", site="ulaanbaatar-heat", port=15021),
    PlantSettings(plant="transformer-stations", project="demo-transformers", site="hanoi-grid", port=15022),
)


class SimulatorSettings(BaseModel):
    """Everything the simulators' process needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clock: ClockConfig = ClockConfig()
    """What time it is in the plants."""
    seed: int = 1
    """The same seed, plants and `counters_from` give the same registers at the same instant."""
    counters_from: AwareDatetime = datetime(2025, 12, 1, tzinfo=UTC)
    """Where the counters begin; not later than the clock. A plant takes about a second to start for each year since."""
    ledger: Path = Path("data/simulators/ledger.sqlite")
    """The SQLite file that keeps every answer served."""
    control: Path | None = None
    """The socket that takes faults while the plants run; by default beside the ledger, with the suffix .control."""
    plants: tuple[PlantSettings, ...] = DEMONSTRATION_PLANTS
    """The plants to serve."""

    @model_validator(mode="after")
    def _plants_differ(self) -> Self:
        if not self.plants:
            raise ValueError("there is no [[plants]] table; write one, or leave `plants` out for the demonstration's")
        places = Counter((plant.host, plant.port) for plant in self.plants if plant.port)
        if shared := [place for place, count in places.items() if count > 1]:
            raise ValueError(f"two plants ask for {shared[0][0]}:{shared[0][1]}; give each its own port")
        files = Counter(plant.serial for plant in self.plants if plant.serial)
        if shared_files := [file for file, count in files.items() if count > 1]:
            raise ValueError(f"two plants ask for serial {str(shared_files[0])!r}; give each its own")
        projects = Counter(plant.project for plant in self.plants)
        if doubled := [project for project, count in projects.items() if count > 1]:
            raise ValueError(f"two plants have project {doubled[0]!r}; give each its own")
        return self

    @property
    def counters_from_ms(self) -> int:
        """Where the counters begin [ms since the Unix epoch]."""
        return int(self.counters_from.timestamp() * 1000)

    @property
    def control_socket(self) -> Path:
        """The socket that takes faults."""
        return self.control or self.ledger.with_suffix(".control")

    def seed_of(self, plant: PlantSettings) -> str:
        """The seed of one plant: adding a plant does not change the others."""
        return f"{self.seed}/{plant.project}"


SAMPLE = """\
# Sakugen simulators. Without any key the three demonstration plants answer on ports 15020 to 15022.
# seed = 1                                   # the same seed gives the same plants
# counters_from = 2025-12-01T00:00:00Z       # where the counters begin
# ledger = "data/simulators/ledger.sqlite"   # every answer served
# control = "data/simulators/ledger.control" # the socket of `sakugen simulate fault`

# [clock]
# kind = "system"

[[plants]]
plant = "solar"                              # or "heat-only-boiler", "wind", "biogas" ...
project = "demo-solar"
site = "mongolia-farm"
port = 15020                                 # all devices of a plant, by unit id; 0 takes a free one
# host = "127.0.0.1"
# ready = "mongolia-airport"                 # a ready site of docs/sites.md instead of the demonstration's plant
# size = "8.3 MW"                            # every flow and power of it in proportion
# scenario = "a-bad-week-in-ulaanbaatar"     # a story of faults, from scenario_from on or from the start
# scenario_from = 2026-01-12T00:00:00+08:00
# power = "synthetic"                        # "measured" replays one-minute AC power (extra simulators-data)
# devices = ["ac-bus"]                       # only these answer
# transport = "rtu-over-tcp"                 # "tls" with certificate, key and, if asked, client_ca; "rtu" with serial
# serial = "data/simulators/solar.tty"       # the device file of transport "rtu"
# baudrate = 9600

# [[plants.fault]]                           # what goes wrong on purpose: `sakugen simulate fault --help`
# kind = "slow"
# device = "ac-bus"                          # leave out for all of them
# amount = 2.0                               # here: seconds
# start = 2025-12-28T10:00:00+08:00          # leave out for from the beginning
# end = 2025-12-28T11:00:00+08:00            # leave out for ever
"""
"""A commented sample; a test compares it with the model."""

"""What running simulators tell of themselves at one instant, as it goes over their control socket."""

from pydantic import BaseModel, ConfigDict

from simulators.faults import FaultKind


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class FaultNow(_Told):
    """A fault that is on."""

    kind: FaultKind
    amount: float | None
    """How much, see `simulators.faults.KINDS`; None where it has no amount."""
    until_ms: int | None
    """When it ends [ms since the Unix epoch]; None = when somebody ends it."""


class ValueNow(_Told):
    """One value in the registers of a device."""

    quantity: str
    """By its measurand's name, the unit last."""
    address: int
    """Of its first register, counted from 0."""
    words: str
    """What the registers hold, faults included: four hexadecimal digits a register."""
    true: float | None
    """What they would say without faults [the quantity's unit]; None = no value."""
    shown: float | None
    """What they say [the quantity's unit]; None = no value."""
    read_ms: int | None
    """When it was last given to a client, whole [ms since the Unix epoch]; None = never."""


class DeviceNow(_Told):
    """A device."""

    project: str
    name: str
    make: str
    model: str
    serial: str
    transport: str
    place: str
    """Where its line is: host and port, or a device file."""
    unit_id: int
    function: int
    """The Modbus function that reads it."""
    requests: int
    """Since the simulators started."""
    requests_per_s: float
    """Over the last ten to twenty seconds of real time [1/s]."""
    last_client: str
    last_request_ms: int | None
    """[ms since the Unix epoch]; None = never asked."""
    faults: tuple[FaultNow, ...]
    """Those that are on, of the whole port included."""
    values: tuple[ValueNow, ...]
    """All values of one device that was asked for; else those that say most, and none of devices beyond the most."""


class PlantNow(_Told):
    """A plant and the line that its devices share."""

    project: str
    site: str
    plant: str
    transport: str
    place: str
    devices: int
    requests: int
    """Since the simulators started, those to units that are not there included."""
    requests_per_s: float
    """Over the last ten to twenty seconds of real time [1/s]."""


class Snapshot(_Told):
    """Everything, at one instant of the plants' clock."""

    now_ms: int
    """[ms since the Unix epoch]"""
    factor: float
    """How many seconds of the plants' clock pass in one real second."""
    plants: tuple[PlantNow, ...]
    devices: tuple[DeviceNow, ...]
    """Those with faults first."""

"""What stands where in the demonstration: three sites, their gateways, and the meters each gateway polls. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoDevice:
    """A simulated meter; its metering point has the same name."""

    name: str
    unit_id: int
    device_map: str
    make: str
    model: str
    serial: str
    measurands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A site with its gateway, project and plant."""

    project: str
    title: str
    site: str
    gateway: str
    plant: str
    time_zone: str
    devices: tuple[DemoDevice, ...]

    @property
    def gateway_name(self) -> str:
        """The name that the gateway signs under."""
        return f"{self.site}/{self.gateway}"


def _inverter(number: int) -> DemoDevice:
    measurands = ("energy_export_total_wh", "active_power_w", "inverter_state")
    name, serial = f"inverter-{number}", f"SIM-INV-{number:04d}"
    return DemoDevice(name, number, "sunspec_103", "Sakugen", "Simulated inverter", serial, measurands)


def _station(number: int) -> DemoDevice:
    measurands = ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "active_power_w", "energy_import_total_wh")
    name, serial = f"station-{number}", f"EM3{number:04d}"
    return DemoDevice(name, number, "carlo_gavazzi_em340", "Carlo Gavazzi", "EM340", serial, measurands)


def _iem3255(name: str, unit_id: int, serial: str, energy: str) -> DemoDevice:
    return DemoDevice(
        name, unit_id, "schneider_iem3000", "Schneider Electric", "iEM3255", serial, (energy, "active_power_w")
    )


_HEAT = (
    "heat_total_j",
    "heat_power_w",
    "flow_m3_per_h",
    "supply_temperature_degc",
    "return_temperature_degc",
)

SITES = (
    DemoSite(
        project="demo-solar",
        title="8.3 MW solar plant, Mongolia",
        site="mongolia-farm",
        gateway="gw-solar",
        plant="solar",
        time_zone="Asia/Ulaanbaatar",
        devices=(
            _iem3255("ac-bus", 10, "SIM-IEM-0001", "energy_export_total_wh"),
            *(_inverter(number) for number in (1, 2, 3)),
        ),
    ),
    DemoSite(
        project="demo-boiler",
        title="1.2 MW heat-only boiler, Ulaanbaatar",
        site="ulaanbaatar-heat",
        gateway="gw-boiler",
        plant="heat-only-boiler",
        time_zone="Asia/Ulaanbaatar",
        devices=(
            DemoDevice("heat-out", 1, "multical_403", "Kamstrup", "MULTICAL 403", "SIM-MC4-0001", _HEAT),
            DemoDevice(
                "burner", 2, "burner_controller", "Sakugen", "Generic remote input", "SIM-RIO-0001", ("burner_state",)
            ),
            _iem3255("boiler-aux", 3, "SIM-IEM-0002", "energy_import_total_wh"),
        ),
    ),
    DemoSite(
        project="demo-transformers",
        title="Amorphous transformers, Ha Noi",
        site="hanoi-grid",
        gateway="gw-transformers",
        plant="transformer-stations",
        time_zone="Asia/Ho_Chi_Minh",
        devices=tuple(_station(number) for number in (1, 2, 3)),
    ),
)

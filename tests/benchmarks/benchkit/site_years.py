"""The demonstration's three sites over time, as evidence: what simulated meters show, slot by slot.

In: the plants of the simulators, the demonstration's points and device maps. Out: `Evidence`, and the birth that it
goes with. Values are rounded here as the simulated devices round them: their images would take a quarter of an hour.
Requests and answers jitter by a few milliseconds, one slot in a thousand is not answered, one day nothing is read.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from math import floor

import numpy as np
from benchkit.polled import polled

from gateway.maps import load_map
from ingest.store.readings import Evidence, bind, collect
from ingest.store.series import Binding, Series
from metering import decode, record
from metering.devicemap import DeviceMap
from metering.interval import Interval
from metering.keys import new_signer
from metering.quality import Quality
from sakugen.demo.sites import SITES, DemoDevice, DemoSite
from simulators.plants.heat_only_boiler import HeatOnlyBoiler
from simulators.plants.solar import SolarPlant
from simulators.plants.states import ElectricState, HeatState, InverterState
from simulators.plants.transformer_station import TransformerStation

ORIGIN_MS = 1_735_689_600_000  # 2025-01-01
SITE_NAMES = tuple(site.project for site in SITES)


def site_year(project: str, interval_ms: int, slots: int) -> tuple[Evidence, bytes]:
    """Simulate one site, and the exact bytes of its birth."""
    site = next(site for site in SITES if site.project == project)
    with ProcessPoolExecutor(2) as pool:
        values = list(pool.map(partial(_values, site.project, interval_ms, slots), site.devices))
    birth = _birth(site, interval_ms)
    evidence = collect([birth])
    bound = bind(evidence.births[0], evidence.maps)
    rng = np.random.default_rng(1)
    by_key = {}
    for device, shown in zip(site.devices, values, strict=True):
        times = polled(ORIGIN_MS, interval_ms, slots, rng)
        for (key, binding), column in zip(bound[f"{device.name}/all"], shown.T, strict=True):
            by_key[key] = _series(key, binding, column, times)
    return replace(evidence, by_key=by_key), birth


def _values(project: str, interval_ms: int, slots: int, device: DemoDevice) -> np.ndarray:
    show = _shown(project, device)
    return np.array([show(ORIGIN_MS + slot * interval_ms + 25) for slot in range(slots)], np.int64)


def _shown(project: str, device: DemoDevice) -> Callable[[int], Sequence[int]]:
    if project == "demo-transformers":
        station = TransformerStation(f"1/{device.name}", ORIGIN_MS)
        return lambda at_ms: _em340(station.low_voltage_side(at_ms))
    if project == "demo-boiler":
        boiler = HeatOnlyBoiler("1", ORIGIN_MS)
        return {
            "heat-out": lambda at_ms: _multical(boiler.heat_out(at_ms)),
            "burner": lambda at_ms: [int(boiler.burner(at_ms).running)],
            "boiler-aux": lambda at_ms: _iem3000(boiler.auxiliaries(at_ms), device),
        }[device.name]
    plant = SolarPlant("1", ORIGIN_MS)
    if device.name == "ac-bus":
        return lambda at_ms: _iem3000(plant.ac_bus(at_ms), device)
    return lambda at_ms: _sunspec(plant.inverter(device.unit_id - 1, at_ms))


def _f32(value: float, quanta: int) -> int:
    return round(float(np.float32(value)) * quanta)


def _em340(state: ElectricState) -> list[int]:
    volts = [round(value * 10) * 100 for value in state.voltages_v]
    return [*volts, round(state.active_power_w * 10) * 100, floor(state.energy_import_total_wh / 100) * 100_000]


def _iem3000(state: ElectricState, device: DemoDevice) -> list[int]:
    energy_wh = state.energy_export_total_wh if "export" in device.measurands[0] else state.energy_import_total_wh
    return [floor(energy_wh) * 1000, _f32(state.active_power_w / 1000, 1_000_000)]


def _sunspec(state: InverterState) -> list[int]:
    power_w = round(state.active_power_w / 100) * 100
    return [floor(state.energy_total_wh / 10) * 10_000, power_w * 1000, 4 if state.producing else 2]


def _multical(state: HeatState) -> list[int]:
    return [
        floor(state.heat_total_wh / 1000) * 3_600_000,
        _f32(round(state.heat_power_w / 1000, 1), 1_000_000),
        _f32(round(state.flow_m3_per_h * 1000), 1000),
        _f32(round(state.supply_temperature_degc, 2), 1000),
        _f32(round(state.return_temperature_degc, 2), 1000),
    ]


def _series(key: tuple[str, str], binding: Binding, column: np.ndarray, polled: Series) -> Series:
    point, measurand = key
    series = replace(
        polled,
        point=point,
        measurand=measurand,
        value=np.where(polled.quality == Quality.OK, column, 0),
        bindings=(binding,),
    )
    return series if binding.register.scale_register is None else replace(series, raw_text=_words(binding, series))


def _words(binding: Binding, series: Series) -> tuple[str, ...]:
    """Words of the whole block: what the archive needs of them is the scale; the others are here to be in the way."""
    place = decode.place_of(binding.register, binding.blocks)
    assert place is not None
    assert place.scale_offset is not None
    words = [0] * sum(block.count for block in binding.blocks)
    words[place.scale_offset] = 2 if series.measurand == "active_power_w" else 1
    texts = []
    for value in series.value.tolist():
        words[place.offset] = value // 1000 % 0x7FFF
        texts.append(decode.pack_words(words))
    return tuple(texts)


def _birth(site: DemoSite, interval_ms: int) -> bytes:
    maps = {device.device_map: load_map(device.device_map) for device in site.devices}
    body = {
        "site": site.site, "gateway": site.gateway, "stream": "0" * 26, "seq": 1, "prev": None, "mono_ms": 1,
        "clock": {"state": "synchronised", "offset_ms": 0}, "kind": "birth", "project": site.project, "mode": "live",
        "agent": "bench", "time_factor": 1.0, "config_digest": "0" * 64, "after": None,
        "device_maps": {one.digest: one.text for one in maps.values()},
        "groups": [_group(device, maps[device.device_map], interval_ms) for device in site.devices],
    }  # fmt: skip
    return record.build(record.Birth.model_validate_json(json.dumps(body)), new_signer(site.gateway_name))


def _group(device: DemoDevice, device_map: DeviceMap, interval_ms: int) -> dict:
    registers = [device_map.register_for(name) for name in device.measurands]
    scales = [one.scale_register.address for one in registers if one.scale_register is not None]
    spans = [(one.address, one.address + one.words) for one in registers]
    if scales:  # a value and its scale come in one request
        spans = [(min(first for first, _ in spans), max([end for _, end in spans] + [at + 1 for at in scales]))]
    blocks = [
        {"function": registers[0].function, "address": first, "count": end - first}
        for first, end in dict.fromkeys(spans)
    ]
    return {
        "group": f"{device.name}/all", "device": device.name, "interval_ms": interval_ms, "map": device_map.digest,
        "unit_id": device.unit_id, "meter": {"make": device.make, "model": device.model, "serial": device.serial},
        "blocks": blocks,
        "points": [
            {"point": device.name, "measurand": name, "quantum": one.measurand.quantum, "register": one.name}
            for name, one in zip(device.measurands, registers, strict=True)
        ],
    }  # fmt: skip


def months(evidence: Evidence) -> Interval:
    """From the first to behind the last slot."""
    ends = [(int(one.time_ms[0]), int(one.time_ms[-1]) + 1) for one in evidence.by_key.values()]
    return Interval(min(first for first, _ in ends), max(last for _, last in ends))

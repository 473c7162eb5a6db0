"""Readings counted from records: which answers a journal holds, and how many points each stands for."""

import hashlib

from metering import record
from metering.clock import ClockState
from metering.quality import Quality
from sakugen.demo.account import read_records

STREAM = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
DIGEST = "0" * 64
CLOCK = record.ClockPart(state=ClockState.SYNCHRONISED, offset_ms=0)
MAP = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "Two blocks"
tier = "unverified"
source = [{ title = "written for this test", read = "nothing" }]
[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 10
type = "u16"
[[register]]
name = "frequency"
measurand = "frequency_hz"
function = 3
address = 11
type = "u16"
[[register]]
name = "energy"
measurand = "energy_import_total_wh"
function = 3
address = 100
type = "u32"
"""
MAP_DIGEST = hashlib.sha256(MAP.encode()).hexdigest()


def point(measurand: str, quantum: str, register: str) -> record.PointPart:
    return record.PointPart.model_validate({
        "point": "p", "measurand": measurand, "quantum": quantum, "register": register,
    })  # fmt: skip


def birth() -> record.Birth:
    group = record.GroupPart(
        group="meter/all",
        device="meter",
        interval_ms=1000,
        map=MAP_DIGEST,
        unit_id=1,
        meter=record.MeterPart(make="Test", model="Two blocks", serial="1"),
        blocks=(
            record.BlockPart(function=3, address=10, count=2),
            record.BlockPart(function=3, address=100, count=2),
        ),
        points=(
            point("active_power_w", "mW", "power"),
            point("frequency_hz", "mHz", "frequency"),
            point("energy_import_total_wh", "mWh", "energy"),
        ),
    )
    return record.Birth(
        site="s", gateway="g", stream=STREAM, seq=1, prev=None, clock=CLOCK, mono_ms=0, project="p", mode="live",
        agent="test", time_factor=10.0, config_digest=DIGEST, after=None, device_maps={MAP_DIGEST: MAP},
        groups=(group,),
    )  # fmt: skip


def readings(values: tuple[int | None, ...], raw: str, *quality: tuple[int, int, int]) -> record.Readings:
    part = record.GroupReadings(
        group="meter/all",
        slots=(5000,),
        sent=(3,),
        received=(8,),
        values=tuple((value,) for value in values),
        raw=(raw,),
        quality=quality,
    )
    return record.Readings(
        site="s", gateway="g", stream=STREAM, seq=2, prev=DIGEST, clock=CLOCK, mono_ms=0, groups=(part,)
    )


def test_each_block_that_answered_is_one_answer_with_its_own_words_and_window() -> None:
    contents = read_records([birth(), readings((1000, 2000, 3000), "AAEAAgAAAAM=")])
    found = [(each.address, each.words.hex(), each.sent_ms, each.received_ms) for each in contents.answers]
    assert found == [(10, "00010002", 5003, 5008), (100, "00000003", 5003, 5008)]


def test_a_block_stands_for_as_many_readings_as_points_are_decoded_from_it() -> None:
    contents = read_records([birth()])
    assert contents.points_in == {("meter", 3, 10, 2): 2, ("meter", 3, 100, 2): 1}


def test_a_block_that_did_not_answer_is_no_answer() -> None:
    silent = readings((1000, 2000, None), "AAEAAgAAAAA=", (2, 0, Quality.NO_ANSWER))
    assert [each.address for each in read_records([birth(), silent]).answers] == [10]


def test_a_sentinel_is_an_answer_although_it_has_no_value() -> None:
    sentinel = readings((1000, 2000, None), "AAEAAgAAAAA=", (2, 0, Quality.SENTINEL))
    assert [each.address for each in read_records([birth(), sentinel]).answers] == [10, 100]


def test_gaps_name_the_device_that_missed_its_slots() -> None:
    gap = record.Gap(
        site="s", gateway="g", stream=STREAM, seq=2, prev=DIGEST, clock=CLOCK, mono_ms=0,
        from_ms=1000, to_ms=3000, group="meter/all", reason="overrun",
    )  # fmt: skip
    (explained,) = read_records([birth(), gap]).gaps
    assert (explained.device, explained.interval.start_ms, explained.interval.end_ms) == ("meter", 1000, 3000)

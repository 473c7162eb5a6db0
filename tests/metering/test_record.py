"""Records: what is written is read back, every rule refuses and admits, and any bytes give a record or a reason."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from metering import note, record
from metering.decode import Block, decode_in, pack_words, unpack_words
from metering.devicemap import parse_device_map
from metering.errors import RecordError
from metering.topics import GatewayId

DIGEST = "0" * 64
STREAM = "01JFV12A70AAAAAAAAAAAAAAAA"


def group_readings(**changes):
    good = {
        "group": "meter-1/minute",
        "slots": (0, 60_000),
        "sent": (1, 1),
        "received": (2, 2),
        "values": ((5, None),),
        "raw": ("AAAABQ==", ""),
        "quality": ((0, 1, 1),),
    }
    return record.GroupReadings(**(good | changes))


def group_part(**changes):
    good = {
        "group": "meter-1/minute",
        "device": "meter-1",
        "interval_ms": 60_000,
        "map": DIGEST,
        "unit_id": 1,
        "meter": record.MeterPart(make="Example Meters", model="EX-1", serial="1"),
        "blocks": (record.BlockPart(function=3, address=0, count=2),),
        "points": (record.PointPart(point="ac-bus", measurand="heat_total_j", quantum="J", register="heat"),),
    }
    return record.GroupPart(**(good | changes))


def test_a_record_is_read_back_as_it_was_written(gap, signer):
    assert record.parse(record.build(gap, signer)) == gap


def test_writing_a_record_twice_gives_the_same_bytes(gap, signer):
    assert record.build(gap, signer) == record.build(gap, signer)


def test_a_record_is_one_line_of_json_and_one_signature_line(gap, signer):
    text, blank, signature, end = record.build(gap, signer).decode().split("\n")
    assert json.loads(text)["kind"] == "gap"
    assert blank == end == ""
    assert signature.startswith("— test-site/gw-1 ")


def test_the_header_places_a_record_of_any_version(gap, signer):
    text = note.split(record.build(gap, signer)).text.replace(b"record/1", b"record/99").replace(b"gap", b"news")
    header = record.parse_header(text)
    assert (header.gateway_id, header.stream, header.seq) == (GatewayId("test-site", "gw-1"), gap.stream, 2)
    with pytest.raises(RecordError, match=r"newer-schema: type 'sakugen.record/99'; this software reads"):
        record.parse_body(text)


def test_a_record_knows_its_gateway(gap):
    assert gap.gateway_id == GatewayId("test-site", "gw-1")


def test_a_record_beyond_the_limit_is_neither_written_nor_read(gap, signer):
    long = gap.model_copy(update={"group": "x" * record.MAX_RECORD_BYTES})
    with pytest.raises(RecordError, match="too-long: a record of"):
        record.build(long, signer)
    with pytest.raises(RecordError, match="too-long"):
        record.split(bytes(record.MAX_RECORD_BYTES + 1))


def test_a_record_of_exactly_the_limit_is_written_and_read(gap, signer):
    rest = record.MAX_RECORD_BYTES - len(record.build(gap.model_copy(update={"group": ""}), signer))
    whole = record.build(gap.model_copy(update={"group": "x" * rest}), signer)
    assert len(whole) == record.MAX_RECORD_BYTES
    assert len(record.parse(whole).group) == rest


@given(st.binary(max_size=300))
@example(b"")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"seq": ' + b"9" * 5000 + b"}")
@example(b'{"site": "\\ud800"}')
def test_any_signed_text_is_a_record_or_a_record_error(signer, text):
    data = note.sign(text + b"\n", signer)
    with pytest.raises(RecordError, match=r"unsigned|shape|newer-schema"):
        record.parse(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_error(data):
    with pytest.raises(RecordError, match="unsigned"):
        record.parse(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
def test_one_part_replaced_by_any_json_gives_a_record_or_a_record_error(golden_record, data):
    body = json.loads(
        golden_record(data.draw(st.sampled_from(["birth", "readings", "gap"]))).model_dump_json(by_alias=True)
    )
    place = body if "groups" not in body or data.draw(st.booleans()) else body["groups"][0]
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    with suppress(RecordError):
        read = record.parse_body(json.dumps(body).encode())
        assert record.parse_body(read.model_dump_json(by_alias=True).encode()) == read


# The first of a stream has no record before it; all others have.
@pytest.mark.parametrize(("seq", "prev"), [(1, None), (2, DIGEST), (2**63 - 1, DIGEST)])
def test_prev_and_seq_that_fit_are_admitted(common, seq, prev):
    record.Gap(**common | {"seq": seq, "prev": prev}, from_ms=0, to_ms=1, group=None, reason="clock-behind")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seq": 0, "prev": None}, "greater than or equal to 1"),
        ({"seq": 2**63}, "less than or equal"),
        ({"seq": 1, "prev": DIGEST}, "prev must be null"),
        ({"seq": 2, "prev": None}, "prev must be the digest"),
        ({"prev": "0" * 63}, "String should match"),
        ({"prev": "A" * 64}, "String should match"),
        ({"prev": "0" * 64 + "\n"}, "String should match"),
        ({"site": "Site"}, "String should match"),
        ({"site": "ingest"}, "cannot be a site name"),
        ({"gateway": "a/b"}, "String should match"),
        ({"stream": STREAM.lower()}, "String should match"),
        ({"stream": "8" + STREAM[1:]}, "String should match"),
        ({"mono_ms": "1"}, "valid integer"),
        ({"mono_ms": 1.0}, "valid integer"),
        ({"mono_ms": True}, "valid integer"),
        ({"clock": {"state": "guessed", "offset_ms": 0}}, "'synchronised', 'holdover' or 'unknown'"),
        ({"clock": {"state": "unknown"}}, "Field required"),
        ({"from_ms": 1, "to_ms": 1}, "must end after it begins"),
        ({"from_ms": -1}, "greater than or equal to 0"),
        ({"to_ms": 253_402_300_800_000}, "less than"),
        ({"reason": "holiday"}, "unknown quality 'holiday'; known: ok, "),
        ({"reason": "ok"}, "no reason for a missing reading"),
        ({"reason": "late-read"}, "no reason for a missing reading"),
        ({"type": "sakugen.record/2"}, "sakugen.record/1"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_gap_with_one_fault_is_refused(gap, changes, why):
    with pytest.raises(ValidationError, match=why):
        record.Gap.model_validate(gap.model_dump() | changes)


def test_readings_whose_parts_fit_are_admitted():
    group_readings()
    group_readings(values=(), quality=())
    group_readings(slots=(), sent=(), received=(), values=((),), raw=(), quality=())
    group_readings(values=((5, 6),), quality=((0, 1, 6), (0, 0, 0)))
    group_readings(values=((-(2**63), 2**63 - 1),), quality=())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sent": (1,)}, "one entry a slot"),
        ({"received": (1, 2, 3)}, "one entry a slot"),
        ({"raw": ("",)}, "one entry a slot"),
        ({"values": ((5,),)}, "one column a slot"),
        ({"slots": (0, 0)}, "strictly increase"),
        ({"slots": (1, 0)}, "strictly increase"),
        ({"quality": ()}, "point 0, slot 1: a null needs"),
        ({"quality": ((0, 1, 0),)}, "point 0, slot 1: a null needs"),
        ({"quality": ((0, 1, 6),)}, "point 0, slot 1: a null needs"),
        ({"quality": ((0, 1, 1), (0, 0, 1))}, "point 0, slot 0: .* a value must not have one"),
        ({"values": ((5, 6),)}, "point 0, slot 1: .* a value must not have one"),
        ({"quality": ((0, 1, 1), (0, 1, 2))}, "point 0, slot 1 twice"),
        ({"quality": ((1, 1, 1),)}, "point 1, slot 1, which is not there"),
        ({"quality": ((0, 2, 1),)}, "point 0, slot 2, which is not there"),
        ({"quality": ((0, 1, 16),)}, "less than or equal to 15"),
        ({"quality": ((0, -1, 1),)}, "greater than or equal to 0"),
        ({"values": ((2**63, None),)}, "less than or equal"),
        ({"values": ((5.0, None),)}, "valid integer"),
    ],
)
def test_readings_with_one_fault_are_refused(changes, why):
    with pytest.raises(ValidationError, match=why):
        group_readings(**changes)


def dropped(common, **changes):
    body = {"kind": "dropped", "through": 5, "replaces": DIGEST, "from_ms": 3, "to_ms": 9, "reason": "full"}
    return record.Dropped(**common | body | changes)


def test_what_was_given_up_may_be_one_record_or_many(common):
    assert dropped(common, through=2).through == 2
    assert dropped(common, kind="thinned", from_ms=3, to_ms=3).groups == ()


def test_what_was_thinned_keeps_readings_that_must_fit_the_birth_too(common, golden_record):
    thinned = dropped(common, kind="thinned", groups=(group_readings(),))
    assert record.misfit(thinned, golden_record("birth")) == "group 'meter-1/minute' has 1 rows; its birth has 2 points"
    assert record.misfit(golden_record("thinned"), golden_record("birth")) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"through": 1}, "through"),
        ({"to_ms": 2}, "from_ms"),
        ({"kind": "lost"}, "'dropped' or 'thinned'"),
        ({"groups": (group_readings(),)}, "keeps no readings"),
    ],
)
def test_what_was_given_up_never_goes_backwards(common, changes, why):
    with pytest.raises(ValidationError, match=why):
        dropped(common, **changes)


@pytest.mark.parametrize(("oldest_seq", "digest_before"), [(1, None), (2, DIGEST)])
def test_a_horizon_names_the_digest_before_what_is_held(common, oldest_seq, digest_before):
    outside = common | {"seq": 0, "prev": None}
    assert record.Horizon(**outside, oldest_seq=oldest_seq, digest_before=digest_before).seq == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"oldest_seq": 1}, "digest_before must be null"),
        ({"digest_before": None}, "digest_before must be null"),
        ({"oldest_seq": 0, "digest_before": None}, "greater than or equal to 1"),
        ({"seq": 3, "prev": DIGEST}, "should be 0"),
        ({"prev": DIGEST}, "prev must be null"),
    ],
)
def test_a_horizon_with_one_fault_is_refused(common, changes, why):
    good = common | {"seq": 0, "prev": None, "oldest_seq": 2, "digest_before": DIGEST}
    with pytest.raises(ValidationError, match=why):
        record.Horizon(**good | changes)


@pytest.mark.parametrize("block", [(2, 0, 1), (3, -1, 1), (3, 65536, 1), (3, 0, 0), (3, 0, 126)])
def test_a_block_that_is_no_modbus_request_is_refused(block):
    function, address, count = block
    with pytest.raises(ValidationError, match="Input should be"):
        record.BlockPart(function=function, address=address, count=count)


def test_a_birth_refuses_a_measurand_of_a_point_given_twice_even_in_two_groups(golden_record):
    birth = golden_record("birth")
    twin = birth.groups[0].model_copy(update={"group": "meter-1/hour"})
    with pytest.raises(ValidationError, match="a point and measurand may be named once only"):
        record.Birth.model_validate(
            birth.model_copy(update={"groups": (*birth.groups, twin)}).model_dump(by_alias=True)
        )


@pytest.mark.parametrize("factor", [0, -1, float("inf"), float("nan"), "1", True])
def test_a_time_factor_that_is_no_factor_is_refused(golden_record, factor):
    body = golden_record("birth").model_dump(by_alias=True) | {"time_factor": factor}
    with pytest.raises(ValidationError, match="time_factor"):
        record.Birth.model_validate(body)


def test_a_unit_that_is_not_the_vocabulary_s_is_named_with_its_measurand(golden_record):
    birth = golden_record("birth")
    assert birth.unknown_units() == []
    points = tuple(point.model_copy(update={"quantum": "Wh"}) for point in birth.groups[0].points)
    altered = birth.model_copy(update={"groups": (birth.groups[0].model_copy(update={"points": points}),)})
    assert altered.unknown_units() == ["energy_export_total_wh in Wh", "active_power_w in Wh"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1.0"])
def test_a_number_that_is_no_integer_is_refused_where_an_integer_belongs(gap, number):
    text = gap.model_dump_json().replace('"mono_ms":1', f'"mono_ms":{number}')
    with pytest.raises(RecordError, match="shape: "):
        record.parse_body(text.encode())


@pytest.mark.parametrize("twin", ['"seq": 2', '"colour": 1', '"\\u0073eq": 3'])
def test_a_key_that_stands_twice_is_refused_because_readers_disagree_on_which_counts(gap, twin):
    text = gap.model_dump_json()[:-1] + f", {twin}, {twin}}}"
    with pytest.raises(RecordError, match="shape: "):
        record.parse_body(text.encode())
    inner = gap.model_dump_json().replace('"offset_ms":0', '"offset_ms":0,"offset_ms":0')
    with pytest.raises(RecordError, match="shape: a key stands twice"):
        record.parse_body(inner.encode())


def test_spaces_and_escapes_of_another_writer_do_not_matter(gap):
    text = json.dumps(json.loads(gap.model_dump_json()), indent=None).replace("agent", "\\u0061gent")
    assert record.parse_body(text.encode()) == gap


def birth_and_readings(golden_record):
    return golden_record("birth"), golden_record("readings")


def with_part(readings, **changes):
    return readings.model_copy(update={"groups": (readings.groups[0].model_copy(update=changes),)})


def test_readings_fit_the_birth_they_were_read_with(golden_record):
    birth, readings = birth_and_readings(golden_record)
    assert record.misfit(readings, birth) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"group": "meter-2/minute"}, "is not in the birth"),
        ({"values": ((1, 1, 1, 1),)}, "has 1 rows; its birth has 2 points"),
        ({"raw": ("AAAA", "", "", "")}, "1 and a half raw words, its blocks have 6"),
        ({"raw": ("", "", "", "AAAAAA==")}, "slot 1735000380000: 2 raw words, its blocks have 6"),
        ({"raw": ("!", "", "", "")}, "not base64"),
        ({"raw": ("ü", "", "", "")}, "not base64"),
    ],
)
def test_readings_that_do_not_fit_their_birth_say_where(golden_record, changes, why):
    birth, readings = birth_and_readings(golden_record)
    assert why in record.misfit(with_part(readings, **changes), birth)


def test_decoding_the_raw_words_again_gives_the_values_of_the_record(golden_record):
    birth, readings = birth_and_readings(golden_record)
    group, part = birth.groups[0], readings.groups[0]
    device_map = parse_device_map(birth.device_maps[group.map])
    blocks = tuple(Block(block.function, block.address, block.count) for block in group.blocks)
    for row, point in enumerate(group.points):
        register = device_map.register(point.register_name)
        for column, value in enumerate(part.values[row]):
            if value is not None:
                assert decode_in(register, blocks, unpack_words(part.raw[column])) == value


@given(st.lists(st.integers(0, 0xFFFF), max_size=20))
def test_raw_words_survive_being_written(words):
    assert unpack_words(pack_words(words)) == tuple(words)


@pytest.mark.parametrize(
    ("text", "why"), [("!", "not base64"), ("ü", "not base64"), ("AA==", r"odd number of bytes \(1\)")]
)
def test_raw_words_that_cannot_be_read_are_named(text, why):
    with pytest.raises(ValueError, match=why):
        unpack_words(text)


def test_a_group_that_fits_has_a_meter_and_at_most_one_unit_id():
    assert group_part().unit_id == 1
    with pytest.raises(ValidationError, match="less than or equal to 255"):
        group_part(unit_id=256)
    with pytest.raises(ValidationError, match="greater than 0"):
        group_part(interval_ms=0)

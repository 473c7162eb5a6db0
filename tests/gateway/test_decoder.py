"""The quick way to a value agrees with `metering.decode`, whatever the registers are and whatever words come."""

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.columns import decode_columns
from gateway.decoder import GroupDecoder
from metering.decode import Block, decode, place_of, words_there
from metering.devicemap import Register, WordType
from metering.measurands import MEASURANDS
from metering.quality import Quality
from metering.registers import ScaleRegister

BLOCKS = (Block(3, 0, 12), Block(3, 12, 6), Block(4, 0, 8))
NUMBERS = [word_type for word_type in WordType if not word_type.is_sized_by_register]
# What devices send when they have nothing, and the ends of every integer type.
TELLING = st.sampled_from([0, 1, 0x7FFF, 0x8000, 0xFFFF])
WORDS = st.one_of(TELLING, st.integers(0, 0xFFFF))


@st.composite
def registers(draw) -> Register:
    word_type = draw(st.sampled_from(NUMBERS))
    bits = 16 * word_type.words
    sentinels = st.sampled_from([0, 1, 1 << bits - 1, (1 << bits - 1) - 1, (1 << bits) - 1])
    return Register(
        name="r",
        measurand=draw(st.sampled_from(list(MEASURANDS.values()))),
        function=draw(st.sampled_from([3, 3, 3, 4])),
        address=draw(st.integers(0, 18)),
        type=word_type,
        word_order=draw(st.sampled_from(["big", "big", "little"])),
        byte_order=draw(st.sampled_from(["big", "big", "little"])),
        scale=draw(st.sampled_from([Fraction(1), Fraction(1), Fraction(10), Fraction(-1), Fraction(1, 7)])),
        scale_register=draw(st.sampled_from([None, None, None, ScaleRegister(5)])),
        sentinels=frozenset(draw(st.sets(sentinels, max_size=2))),
        modulus=None,
        reset_source=None,
    )


def one_by_one(register: Register, answers) -> int | Quality:
    place = place_of(register, BLOCKS)
    if place is None:
        return Quality.BAD_FRAME
    words, quality = answers[place.block]
    if words is None:
        return quality
    found = words_there(register, place, words)
    return Quality.BAD_FRAME if found is None else decode(register, *found)


def packed(words) -> bytes | None:
    return None if words is None else struct.pack(f">{len(words)}H", *words)


def answers() -> st.SearchStrategy[tuple]:
    return st.tuples(
        *(
            st.one_of(
                st.tuples(st.lists(WORDS, min_size=block.count, max_size=block.count).map(tuple), st.just(Quality.OK)),
                st.tuples(st.lists(WORDS, max_size=block.count + 2).map(tuple), st.just(Quality.OK)),
                st.tuples(st.none(), st.sampled_from([Quality.NO_ANSWER, Quality.EXCEPTION])),
            )
            for block in BLOCKS
        )
    )


@given(st.lists(registers(), max_size=12), answers())
def test_every_register_gives_what_decoding_it_alone_gives(several, came):
    values, reasons = GroupDecoder(several, BLOCKS).decode([(packed(words), quality) for words, quality in came])
    expected = [one_by_one(register, came) for register in several]
    assert [reasons.get(at, value) for at, value in enumerate(values)] == expected
    assert set(reasons) == {at for at, value in enumerate(values) if value is None}


# Scale words that make sense among others, and devices that say the same each time.
SLOT = st.lists(st.one_of(st.sampled_from([0, 1, 2, 0xFFFF, 0xFFFE]), WORDS), min_size=26, max_size=26)


def see_that_many_are_as_each_alone(several, slots):
    columns = decode_columns(several, BLOCKS, b"".join(packed(words) for words in slots))
    assert [len(column.values) for column in columns] == [len(slots)] * len(several)
    for at, words in enumerate(slots):
        data = packed(words)
        came = [(data[:24], Quality.OK), (data[24:36], Quality.OK), (data[36:], Quality.OK)]
        values, reasons = GroupDecoder(several, BLOCKS).decode(came)
        assert [column.values[at] for column in columns] == values
        assert {point: column.reasons[at] for point, column in enumerate(columns) if at in column.reasons} == reasons


@given(
    st.lists(registers(), max_size=12),
    st.one_of(st.lists(SLOT, min_size=1, max_size=5), SLOT.map(lambda words: [words] * 3)),
)
def test_many_answers_at_once_give_what_each_gives_alone(several, slots):
    see_that_many_are_as_each_alone(several, slots)


def register_of(word_type, measurand="active_power_w", scale=Fraction(1), **more) -> Register:
    usual = {
        "name": "r", "function": 3, "address": 0, "word_order": "big", "byte_order": "big", "scale_register": None,
        "sentinels": frozenset(), "modulus": None, "reset_source": None,
    }  # fmt: skip
    return Register(measurand=MEASURANDS[measurand], type=WordType(word_type), scale=scale, **usual | more)


@pytest.mark.parametrize(
    "register",
    [
        register_of("u16", byte_order="little"),
        register_of("u64"),
        register_of("s64"),
        register_of("u16", address=13, scale_register=ScaleRegister(12)),
    ],
)
def test_other_orders_large_numbers_and_later_blocks_are_no_exception(register):
    first = [*range(0x8001, 0x8001 + 12), 1, 7, *[0] * 12]
    scaled_otherwise = [*first[:12], 2, *first[13:]]
    see_that_many_are_as_each_alone([register], [first, first])
    see_that_many_are_as_each_alone([register], [first, scaled_otherwise])


@pytest.mark.parametrize(
    ("register", "words", "values"),
    [
        (register_of("u16", scale_register=ScaleRegister(1)), [[7, 2], [8, 2]], [700_000, 800_000]),
        (register_of("s32", sentinels=frozenset({1 << 31})), [[0, 7], [0xFFFF, 0xFFFF]], [7_000, -1_000]),
        (register_of("f32", scale=Fraction(1000)), [[0x3DCC, 0xCCCD], [0xC2F6, 0xE979]], [100_000, -123_456_001]),
    ],
)  # fmt: skip
def test_a_stretch_without_anything_unusual_is_taken_at_once(register, words, values, monkeypatch):
    monkeypatch.setattr("gateway.columns.decode", None)
    answers = b"".join(packed([*slot, *[0] * (12 - len(slot))]) for slot in words)
    (column,) = decode_columns([register], BLOCKS[:1], answers)
    assert (column.values, column.reasons) == (values, {})


def test_a_float_is_rounded_as_a_rational_number_is_where_a_double_would_not_hold_it():
    odd = register_of("f32", "heat_total_j", scale=Fraction(3_333_333_333))
    (column,) = decode_columns([odd], [Block(3, 0, 2)], packed([0x4B7F, 0xFFFF]))
    assert column.values == [16_777_215 * 3_333_333_333]


def test_whole_numbers_of_a_full_block_are_taken_without_decoding_them_one_by_one(monkeypatch):
    monkeypatch.setattr("gateway.decoder.decode", None)
    plain = [
        Register(
            "r", MEASURANDS["active_power_w"], 3, address, WordType.S32, "big", "big", Fraction(1), None,
            frozenset({1 << 31}), None, None,
        )
        for address in (0, 2, 2, 10)
    ]  # fmt: skip
    words = (0, 7, 0x8000, 0, 0, 0, 0, 0, 0, 0, 0xFFFF, 0xFFFF)
    values, reasons = GroupDecoder(plain, [BLOCKS[0]]).decode([(packed(words), Quality.OK)])
    assert values == [7_000, None, None, -1_000]
    assert reasons == {1: Quality.SENTINEL, 2: Quality.SENTINEL}

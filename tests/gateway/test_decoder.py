"""The quick way to a value agrees with `metering.decode`, whatever the registers are and whatever words come."""

import struct
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

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

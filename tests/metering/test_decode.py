"""Decoding: words typed by hand, as datasheets and standards print them; never words that our own code packed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.decode import (
    Block,
    Place,
    decode,
    decode_identity,
    decode_in,
    holds,
    place_of,
    register_words,
    resolution,
    words_at,
    words_there,
)
from metering.devicemap import IdentityRegister, WordType
from metering.quality import Quality

WORDS = st.integers(0, 0xFFFF)
ORDERS = {
    # How people call it: (word order, byte order).
    "ABCD": 'word_order = "big"\nbyte_order = "big"\n',
    "CDAB": 'word_order = "little"\nbyte_order = "big"\n',
    "BADC": 'word_order = "big"\nbyte_order = "little"\n',
    "DCBA": 'word_order = "little"\nbyte_order = "little"\n',
}


# One unit of heat is one quantum, so the number is the words and nothing else.
@pytest.mark.parametrize(
    ("word_type", "words", "number"),
    [
        ("u16", [0x0000], 0),
        ("u16", [0x1234], 4660),
        ("u16", [0xFFFF], 65_535),
        ("s16", [0x7FFF], 32_767),
        ("s16", [0x8000], -32_768),
        ("s16", [0xFFFF], -1),
        ("u32", [0x0001, 0x0000], 65_536),
        ("u32", [0xFFFF, 0xFFFF], 4_294_967_295),
        ("s32", [0xFFFE, 0xDB08], -75_000),
        ("s32", [0x8000, 0x0000], -2_147_483_648),
        ("u64", [0x0000, 0x0000, 0x00BC, 0x618C], 12_345_740),
        ("u64", [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], 9_223_372_036_854_775_807),
        ("s64", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], -1),
        ("s64", [0x8000, 0x0000, 0x0000, 0x0000], -9_223_372_036_854_775_808),
        ("f32", [0x3F80, 0x0000], 1),
        ("f32", [0xC2F7, 0x0000], -124),  # -123.5, and half goes to even
        ("f32", [0x4B80, 0x0000], 16_777_216),
        ("f32", [0x8000, 0x0000], 0),  # minus zero
        ("f32", [0x0000, 0x0001], 0),  # the smallest number there is
        ("f64", [0x4340, 0x0000, 0x0000, 0x0000], 9_007_199_254_740_992),
        ("f64", [0xC05E, 0xDD2F, 0x1A9F, 0xBE77], -123),  # -123.456
    ],
)
def test_words_of_each_type_are_read_as_the_number_they_stand_for(register, word_type, words, number):
    assert decode(register(word_type, measurand="heat_total_j"), words) == number


# 0x12345678 and 0x0123456789ABCDEF, as each order puts them on the wire.
@pytest.mark.parametrize(
    ("word_type", "order", "words"),
    [
        ("u32", "ABCD", [0x1234, 0x5678]),
        ("u32", "CDAB", [0x5678, 0x1234]),
        ("u32", "BADC", [0x3412, 0x7856]),
        ("u32", "DCBA", [0x7856, 0x3412]),
        ("u64", "ABCD", [0x0123, 0x4567, 0x89AB, 0xCDEF]),
        ("u64", "CDAB", [0xCDEF, 0x89AB, 0x4567, 0x0123]),
        ("u64", "BADC", [0x2301, 0x6745, 0xAB89, 0xEFCD]),
        ("u64", "DCBA", [0xEFCD, 0xAB89, 0x6745, 0x2301]),
    ],
)
def test_each_of_the_four_orders_puts_the_bytes_where_they_belong(register, word_type, order, words):
    number = {"u32": 0x12345678, "u64": 0x0123456789ABCDEF}[word_type]
    assert decode(register(word_type, ORDERS[order], "heat_total_j"), words) == number


# 230.5 is 0x43668000 as a float of 32 bits and 0x406CD00000000000 as one of 64.
@pytest.mark.parametrize(
    ("word_type", "order", "words"),
    [
        ("f32", "ABCD", [0x4366, 0x8000]),
        ("f32", "CDAB", [0x8000, 0x4366]),
        ("f32", "BADC", [0x6643, 0x0080]),
        ("f32", "DCBA", [0x0080, 0x6643]),
        ("f64", "ABCD", [0x406C, 0xD000, 0x0000, 0x0000]),
        ("f64", "CDAB", [0x0000, 0x0000, 0xD000, 0x406C]),
        ("f64", "BADC", [0x6C40, 0x00D0, 0x0000, 0x0000]),
        ("f64", "DCBA", [0x0000, 0x0000, 0x00D0, 0x6C40]),
    ],
)
def test_floats_follow_the_four_orders_too(register, word_type, order, words):
    assert decode(register(word_type, ORDERS[order], "voltage_l1_v"), words) == 230_500


def test_a_swapped_byte_order_turns_a_single_word_around(register):
    assert decode(register("u16", 'byte_order = "little"', "heat_total_j"), [0x3412]) == 0x1234


@pytest.mark.parametrize(
    ("scale", "quanta"),
    [("1", 7_000), ("0.1", 700), ("0.001", 7), ("1000", 7_000_000), ("1/3", 2333), ("0.0001", 1), ("0.00001", 0)],
)
def test_the_scale_is_exact_and_the_result_is_the_nearest_quantum(register, scale, quanta):
    assert decode(register("u16", f'scale = "{scale}"'), [7]) == quanta


@pytest.mark.parametrize(("word", "quanta"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_halves_go_to_the_even_quantum(register, word, quanta):
    assert decode(register("u16", 'scale = "0.0005"'), [word]) == quanta


def test_a_scale_of_a_tenth_is_not_the_float_nearest_to_it(register):
    # Floats would give 900,719,925,474,099,072 here.
    assert decode(register("u64", 'scale = "0.1"'), [0x001F, 0xFFFF, 0xFFFF, 0xFFFF]) == 900_719_925_474_099_100


@pytest.mark.parametrize(
    ("word_type", "sentinel", "words"),
    [
        ("u16", "0xFFFF", [0xFFFF]),
        ("s16", "0x8000", [0x8000]),
        ("u32", "0xFFFFFFFF", [0xFFFF, 0xFFFF]),
        ("s32", "0x80000000", [0x8000, 0x0000]),
        ("u32", "0", [0x0000, 0x0000]),
        ("u64", "0xFFFFFFFFFFFFFFFF", [0xFFFF] * 4),
        ("s64", "0x8000000000000000", [0x8000, 0, 0, 0]),
        ("f32", "0x7FC00000", [0x7FC0, 0x0000]),
    ],
)
def test_a_sentinel_is_never_a_value(register, word_type, sentinel, words):
    assert decode(register(word_type, f'sentinels = ["{sentinel}"]'), words) is Quality.SENTINEL


def test_a_sentinel_is_compared_after_the_words_are_in_order(register):
    swapped = register("s32", 'word_order = "little"\nsentinels = ["0x80000000"]', "heat_total_j")
    assert decode(swapped, [0x0000, 0x8000]) is Quality.SENTINEL
    assert decode(swapped, [0x8000, 0x0000]) == 0x8000


def test_words_next_to_a_sentinel_are_values(register):
    assert decode(register("u16", 'sentinels = ["0xFFFF", "0xFFFE"]', "heat_total_j"), [0xFFFD]) == 0xFFFD


@pytest.mark.parametrize(
    ("word_type", "words", "why"),
    [
        ("f32", [0x7FC0, 0x0000], Quality.SENTINEL),
        ("f32", [0xFFC0, 0x0001], Quality.SENTINEL),
        ("f32", [0x7F80, 0x0001], Quality.SENTINEL),
        ("f32", [0x7F80, 0x0000], Quality.OUT_OF_RANGE),
        ("f32", [0xFF80, 0x0000], Quality.OUT_OF_RANGE),
        ("f32", [0x7F7F, 0xFFFF], Quality.OUT_OF_RANGE),
        ("f64", [0x7FF8, 0, 0, 0], Quality.SENTINEL),
        ("f64", [0x7FF0, 0, 0, 0], Quality.OUT_OF_RANGE),
        ("f64", [0xFFF0, 0, 0, 0], Quality.OUT_OF_RANGE),
        ("f64", [0x7FEF, 0xFFFF, 0xFFFF, 0xFFFF], Quality.OUT_OF_RANGE),
    ],
)
def test_a_float_that_is_no_number_or_too_large_is_no_value(register, word_type, words, why):
    assert decode(register(word_type), words) is why


def test_more_quanta_than_an_int64_holds_are_no_value(register):
    largest = register("u64", measurand="heat_total_j")
    assert decode(largest, [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF]) == 2**63 - 1
    assert decode(largest, [0x8000, 0x0000, 0x0000, 0x0000]) is Quality.OUT_OF_RANGE
    assert decode(register("u64"), [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF]) is Quality.OUT_OF_RANGE


@pytest.mark.parametrize("words", [[], [1], [1, 2, 3]])
def test_too_few_or_too_many_words_are_a_bad_frame(register, words):
    assert decode(register("u32"), words) is Quality.BAD_FRAME
    assert resolution(register("u32"), words) is None


LITTLE = 'word_order = "little"'


@pytest.mark.parametrize(
    ("word_type", "more", "words", "number"),
    [
        # PowerLogic: R4 x 10^12 + R3 x 10^8 + R2 x 10^4 + R1, least significant register first.
        ("mod10", f"count = 4\n{LITTLE}", [1234, 5678, 9, 0], 956_781_234),
        ("mod10", "count = 4", [0, 9, 5678, 1234], 956_781_234),
        ("mod10", f"count = 3\n{LITTLE}", [0, 0, 1], 100_000_000),
        ("mod10", "count = 4", [9999, 9999, 9999, 9999], 9_999_999_999_999_999),
        ("mod10", "count = 1", [10_000], Quality.OUT_OF_RANGE),
        ("mod10", "count = 2", [0xFFFF, 0], Quality.OUT_OF_RANGE),
        ("mod10", 'count = 2\nsentinels = ["0xFFFFFFFF"]', [0xFFFF, 0xFFFF], Quality.SENTINEL),
        ("bcd", "count = 1", [0x1234], 1234),
        ("bcd", "count = 2", [0x0098, 0x7654], 987_654),
        ("bcd", f"count = 2\n{LITTLE}", [0x7654, 0x0098], 987_654),
        ("bcd", 'count = 1\nbyte_order = "little"', [0x3412], 1234),
        ("bcd", "count = 2", [0x0000, 0x000A], Quality.OUT_OF_RANGE),
        ("bcd", "count = 2", [0x1E50, 0x0000], Quality.OUT_OF_RANGE),
        ("bits", 'count = 1\nmask = "0x0008"', [0x0008], 1),
        ("bits", 'count = 1\nmask = "0x0008"', [0xFFF7], 0),
        ("bits", 'count = 1\nmask = "0x00F0"', [0xABCD], 0xC),
        ("bits", f'count = 2\nmask = "0x00010000"\n{LITTLE}', [0x0000, 0x0001], 1),
    ],
)
def test_decimal_digits_and_bits_are_read_as_the_number_they_stand_for(register, word_type, more, words, number):
    found = decode(register(word_type, more, "heat_total_j"), words)
    assert (found, isinstance(found, Quality)) == (number, isinstance(number, Quality))


@pytest.mark.parametrize(
    ("word_type", "words", "identity"),
    [
        ("string", [0x534F, 0x434F], "SOCO"),
        ("string", [0x534F, 0x4300, 0x5858], "SOC"),
        ("string", [0x2041, 0x2020], "A"),
        ("string", [0x0000, 0x0000], Quality.SENTINEL),
        ("string", [0x2020], Quality.SENTINEL),
        ("string", [0xFFFF], Quality.OUT_OF_RANGE),
        ("string", [0x410A, 0x4200], Quality.OUT_OF_RANGE),
        ("string8", [0x0042, 0x0059, 0x0030], "BY0"),
        ("u16", [0x0154], 340),
        ("u32", [0x0001, 0x86A0], 100_000),
        ("s16", [0xFFFF], -1),
        ("bcd", [0x1234, 0x5678], 12_345_678),
        ("bcd", [0xFFFF], Quality.OUT_OF_RANGE),
        ("mod10", [12, 3456], 123_456),
    ],
)
def test_an_identity_is_the_integer_or_the_text_that_the_words_spell(word_type, words, identity):
    assert decode_identity(IdentityRegister(3, 0, WordType(word_type), len(words)), words) == identity


@given(st.sampled_from(WordType), st.lists(WORDS, max_size=6), st.integers(1, 4))
def test_any_words_give_an_identity_or_a_reason(word_type, words, count):
    if word_type.is_float:
        return
    count = count if word_type.is_sized_by_register else word_type.words
    identity = decode_identity(IdentityRegister(3, 0, word_type, count), words)
    assert isinstance(identity, int | str)
    if len(words) != count:
        assert identity is Quality.BAD_FRAME


SUNSSF = "scale_register = { address = 9 }"


@pytest.mark.parametrize("exponent", range(-10, 11))
def test_a_scale_register_multiplies_by_its_power_of_ten(register, exponent):
    expected = round(7_000 * 10**exponent) if exponent >= 0 else [700, 70, 7, 1, 0, 0, 0, 0, 0, 0][-exponent - 1]
    assert decode(register("u16", SUNSSF), [7], exponent & 0xFFFF) == expected


@pytest.mark.parametrize(
    ("scale_word", "why"),
    [
        (0x8000, Quality.SENTINEL),
        (None, Quality.SENTINEL),
        (11, Quality.OUT_OF_RANGE),
        (0xFFF5, Quality.OUT_OF_RANGE),  # -11
        (0x7FFF, Quality.OUT_OF_RANGE),
    ],
)
def test_a_scale_register_that_holds_no_scale_leaves_no_value(register, scale_word, why):
    assert decode(register("u16", SUNSSF), [7], scale_word) is why
    assert resolution(register("u16", SUNSSF), [7], scale_word) is None


def test_a_scale_register_and_a_fixed_scale_multiply(register):
    assert decode(register("u16", SUNSSF + '\nscale = "0.5"'), [7], 2) == 350_000


# What a map has to say with each type whose width is the register's.
SIZES = {"mod10": "count = {count}", "bcd": "count = {count}", "bits": 'count = {count}\nmask = "0x00F0"'}


@pytest.mark.parametrize("word_type", [word_type for word_type in WordType if not word_type.is_text])
@given(more=st.sampled_from(["", SUNSSF, 'scale = "1/7"', *ORDERS.values()]), count=st.integers(1, 4), data=st.data())
def test_any_words_give_an_int64_or_a_reason(register, word_type, more, count, data):
    one = register(word_type, SIZES.get(word_type, "").format(count=count) + "\n" + more)
    words = data.draw(st.lists(WORDS, min_size=one.words, max_size=one.words))
    scale_word = data.draw(st.none() | WORDS)
    value = decode(one, words, scale_word)
    step = resolution(one, words, scale_word)
    if isinstance(value, Quality):
        assert value in {Quality.SENTINEL, Quality.OUT_OF_RANGE}
    else:
        assert -(2**63) <= value < 2**63
        assert step >= 1


@pytest.mark.parametrize(
    ("word_type", "more", "words", "scale_word", "step"),
    [
        ("u32", 'scale = "100"', [0, 1], None, 100_000),
        ("u32", 'scale = "0.1"', [0, 1], None, 100),
        ("u32", 'scale = "0.0001"', [0, 1], None, 1),
        ("u16", 'scale = "1/3"', [1], None, 334),
        ("u16", SUNSSF, [1], 2, 100_000),
        ("f32", "", [0x3F80, 0x0000], None, 1),  # 1 Wh: 1000 quanta / 2^23
        ("f32", "", [0x4B80, 0x0000], None, 2000),  # 16,777,216 Wh: the next float is 2 Wh further
        ("f32", "", [0x4CBE, 0xBC20], None, 8000),  # 100,000,000 Wh
        ("f64", "", [0x41D0, 0, 0, 0], None, 1),
        ("f32", 'scale = "1000000000"', [0, 0], None, 59_605),  # 10^12 quanta / 2^24: at 0 as just above it
        ("f64", "", [0x4340, 0, 0, 0], None, 2000),  # 9,007,199,254,740,992 Wh: the next double is 2 Wh further
    ],
)
def test_the_resolution_is_the_distance_to_the_next_value(register, word_type, more, words, scale_word, step):
    assert resolution(register(word_type, more), words, scale_word) == step


BLOCKS = [Block(3, 100, 4), Block(4, 100, 2), Block(3, 200, 2)]
ALL_WORDS = [10, 11, 12, 13, 20, 21, 30, 31]


@pytest.mark.parametrize(
    ("function", "address", "count", "found"),
    [
        (3, 100, 4, (10, 11, 12, 13)),
        (3, 102, 2, (12, 13)),
        (4, 100, 2, (20, 21)),
        (3, 201, 1, (31,)),
        (3, 103, 2, None),
        (3, 99, 1, None),
        (3, 199, 1, None),
        (4, 200, 1, None),
    ],
)
def test_registers_are_found_in_the_block_that_holds_all_of_them(function, address, count, found):
    assert words_at(BLOCKS, ALL_WORDS, function, address, count) == found


def test_words_that_end_too_early_hold_no_register():
    assert words_at(BLOCKS, ALL_WORDS[:7], 3, 200, 2) is None
    assert words_at(BLOCKS, [], 3, 100, 1) is None


@pytest.mark.parametrize(
    ("block", "found"),
    [
        (Block(3, 10, 6), True),
        (Block(3, 9, 8), True),
        (Block(4, 10, 6), False),  # another function
        (Block(3, 11, 5), False),  # begins within the register
        (Block(3, 10, 5), False),  # ends before the scale register
        (Block(3, 12, 4), False),
        (Block(3, 20, 6), False),
        (Block(3, 0, 11), False),  # ends within the register
    ],
)
def test_a_block_holds_a_register_when_it_brings_all_of_it_and_its_scale(register, block, found):
    one = replace(register("u32", "scale_register = { address = 15 }"), address=10)
    assert holds(block, one) is found


def test_words_come_from_the_first_block_that_holds_the_register_and_its_scale(register):
    one = register("u16", "scale_register = { address = 3 }", "heat_total_j")
    blocks = [Block(3, 0, 2), Block(3, 0, 4)]
    assert register_words(one, blocks, [7, 8, 1, 2, 3, 4]) == ((1,), 4)
    assert register_words(one, blocks, [7, 8, 1, 2, 3]) is None
    place = place_of(one, blocks)
    assert place is not None
    assert words_there(one, place, [1, 2, 3]) is None
    assert words_there(register("u32"), Place(0, 1, None), [1, 2]) is None


def test_a_register_is_decoded_with_its_scale_register_out_of_its_blocks(register):
    scaled = register("u16", "scale_register = { address = 3 }", "heat_total_j")
    assert register_words(scaled, [Block(3, 0, 4)], [7, 0, 0, 2]) == ((7,), 2)
    assert decode_in(scaled, [Block(3, 0, 4)], [7, 0, 0, 2]) == 700
    assert decode_in(scaled, [Block(3, 0, 2)], [7, 0]) is Quality.BAD_FRAME
    assert decode_in(scaled, [Block(3, 1, 3)], [0, 0, 2]) is Quality.BAD_FRAME
    assert decode_in(scaled, [Block(3, 0, 4)], []) is Quality.BAD_FRAME

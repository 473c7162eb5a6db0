"""Which requests read a group: only declared registers, few requests, a scale factor with its value."""

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import PlanError
from gateway.maps import load_map
from gateway.plan import MAX_WORDS, plan_blocks
from metering.decode import Block, decode, decode_in, register_words
from metering.devicemap import Register, ScaleRegister, WordType
from metering.measurands import measurand
from metering.quality import Quality


def register(
    address: int,
    kind: str = "u32",
    function: int = 3,
    scale_at: int | None = None,
    sentinels: frozenset[int] = frozenset(),
) -> Register:
    return Register(
        name=f"r{address}",
        measurand=measurand("active_power_w"),
        function=function,
        address=address,
        type=WordType(kind),
        word_order="big",
        byte_order="big",
        scale=Fraction(1),
        scale_register=None if scale_at is None else ScaleRegister(scale_at),
        sentinels=sentinels,
        modulus=None,
        reset_source=None,
    )


def test_registers_that_touch_share_a_request_and_a_hole_is_never_read():
    assert plan_blocks([register(4), register(0), register(2), register(7)]) == (Block(3, 0, 6), Block(3, 7, 2))


def test_holding_and_input_registers_are_different_requests():
    assert plan_blocks([register(0), register(2, function=4)]) == (Block(3, 0, 2), Block(4, 2, 2))


def test_the_same_register_twice_is_read_once():
    assert plan_blocks([register(0), register(0)]) == (Block(3, 0, 2),)


def test_a_scale_factor_is_read_in_the_same_request_as_its_value_across_a_hole():
    assert plan_blocks([register(72, "u16", scale_at=76)]) == (Block(3, 72, 5),)
    assert plan_blocks([register(76, "u16", scale_at=70)]) == (Block(3, 70, 7),)


def test_no_request_asks_for_more_than_125_registers_and_no_register_is_torn():
    blocks = plan_blocks([register(2 * at) for at in range(100)])
    assert blocks == (Block(3, 0, 124), Block(3, 124, 76))


def test_a_scale_factor_too_far_away_is_refused_with_both_named():
    with pytest.raises(PlanError, match="'r0' and its scale factor span 201 addresses"):
        plan_blocks([register(0, scale_at=200)])


def test_the_power_of_a_sunspec_inverter_is_one_small_request():
    device_map = load_map("sunspec_103")
    wanted = [device_map.register_for("active_power_w"), device_map.register_for("energy_export_total_wh")]
    assert plan_blocks([found for found in wanted if found]) == (Block(3, 40084, 2), Block(3, 40094, 3))


REGISTERS = st.builds(
    register,
    st.integers(0, 400),
    st.sampled_from([kind.value for kind in WordType]),
    st.sampled_from([3, 4]),
    st.none(),
    st.frozensets(st.integers(0, 0xFFFF), max_size=2),
) | st.integers(0, 400).flatmap(
    lambda at: st.builds(register, st.just(at), st.just("s16"), st.just(3), st.integers(at, at + 40))
)


@given(st.lists(REGISTERS, min_size=1, max_size=40))
def test_every_plan_holds_every_register_with_its_scale_factor_in_one_block_within_the_limit(registers):
    blocks = plan_blocks(registers)
    assert all(1 <= block.count <= MAX_WORDS for block in blocks)
    for wanted in registers:
        assert any(register_words(wanted, (block,), [0] * block.count) is not None for block in blocks)
    declared = set()
    for wanted in registers:
        ends = [wanted.address, wanted.address + wanted.words - 1]
        ends += [wanted.scale_register.address] if wanted.scale_register else []
        declared |= {(wanted.function, address) for address in range(min(ends), max(ends) + 1)}
    read = {(block.function, block.address + at) for block in blocks for at in range(block.count)}
    assert read == declared


@given(st.lists(REGISTERS, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_any_words_decode_to_a_value_or_a_reason_through_any_plan(registers, random):
    blocks = plan_blocks(registers)
    words = [random.randrange(0x10000) for block in blocks for _ in range(block.count)]
    for wanted in registers:
        outcome = decode_in(wanted, blocks, words)
        assert isinstance(outcome, Quality) or -(2**63) <= outcome < 2**63


@given(st.sampled_from([kind for kind in WordType if not kind.is_float]), st.data())
def test_an_integer_register_reads_back_what_struct_wrote_in_every_word_and_byte_order(kind, data):
    bits = 16 * kind.words
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if kind.is_signed else (0, 2**bits - 1)
    number = data.draw(st.integers(max(low, -(2**50)), min(high, 2**50)))
    code = {2: "hH", 4: "iI", 8: "qQ"}[2 * kind.words][0 if kind.is_signed else 1]
    words = struct.unpack(f">{kind.words}H", struct.pack(f">{code}", number))
    word_order, byte_order = (
        data.draw(st.sampled_from(["big", "little"])),
        data.draw(st.sampled_from(["big", "little"])),
    )
    on_wire = words if word_order == "big" else words[::-1]
    if byte_order == "little":
        on_wire = [struct.unpack("<H", struct.pack(">H", word))[0] for word in on_wire]
    wanted = register(0, kind.value)
    turned = Register(
        wanted.name, wanted.measurand, 3, 0, kind, word_order, byte_order, Fraction(1), None, frozenset(), None, None
    )
    assert decode(turned, on_wire) == number * 1000

"""Which requests read a group: only declared registers, few requests, a scale factor with its value."""

import struct
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import PlanError
from gateway.maps import load_map
from gateway.plan import MAX_WORDS, Limits, Span, limits_of, plan_blocks, span_of
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


@st.composite
def small_cases(draw):
    """Up to six registers within declared ranges, limits small enough to matter."""
    edges = sorted(draw(st.sets(st.integers(0, 60), min_size=2, max_size=6)))
    ranges = tuple(Span(3, first, end) for first, end in zip(edges[::2], edges[1::2], strict=False))
    fitting = [
        Span(3, first, first + words)
        for place in ranges
        for words in (1, 2, 4)
        for first in range(place.first, place.end - words + 1)
    ]
    spans = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=6))
    cuts = draw(st.frozensets(st.tuples(st.just(3), st.integers(0, 60)), max_size=2))
    limits = Limits(draw(st.integers(4, 30)), ranges, draw(st.sampled_from([0, 1, 5, 64, 10_000])), cuts)
    kinds = {1: "u16", 2: "u32", 4: "u64"}
    return [register(span.first, kinds[span.end - span.first]) for span in spans], limits


def partitions(items):
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for at, part in enumerate(rest):
            yield [*rest[:at], [items[0], *part], *rest[at + 1 :]]


def allowed(spans, limits):
    hull = Span(3, min(span.first for span in spans), max(span.end for span in spans))
    cut = any(
        min(span.first for span in spans) < address <= max(span.first for span in spans) for _, address in limits.cuts
    )
    in_range = any(place.holds(hull) for place in limits.readable)
    return hull.end - hull.first <= limits.max_words and in_range and not cut


def cost(words, limits):
    return sum(limits.request_words + count for count in words)


@given(small_cases())
def test_no_other_plan_within_the_limits_is_cheaper(case):
    registers, limits = case
    plan = [block.count for block in plan_blocks(registers, limits)]
    spans = {span_of(wanted) for wanted in registers}
    spans -= {span for span in spans for other in spans if other != span and other.holds(span)}
    tried = [
        [max(span.end for span in part) - min(span.first for span in part) for part in parts]
        for parts in partitions(sorted(spans))
        if all(allowed(part, limits) for part in parts)
    ]
    assert cost(plan, limits) == min(cost(words, limits) for words in tried)
    if limits.request_words == 10_000:
        assert len(plan) == min(len(words) for words in tried)


@given(small_cases(), st.randoms(use_true_random=False))
def test_no_request_leaves_the_readable_ranges_and_the_order_of_points_changes_nothing(case, random):
    registers, limits = case
    blocks = plan_blocks(registers, limits)
    for block in blocks:
        assert block.count <= limits.max_words
        assert any(place.holds(Span(3, block.address, block.address + block.count)) for place in limits.readable)
    shuffled = registers.copy()
    random.shuffle(shuffled)
    assert plan_blocks(shuffled, limits) == blocks == tuple(sorted(blocks, key=lambda block: block.address))


def test_a_hole_inside_a_readable_range_is_read_when_that_is_cheaper_than_one_more_request():
    registers = [register(0), register(12)]
    readable = (Span(3, 0, 40),)
    assert plan_blocks(registers, Limits(readable=readable, request_words=11)) == (Block(3, 0, 14),)
    assert plan_blocks(registers, Limits(readable=readable, request_words=9)) == (Block(3, 0, 2), Block(3, 12, 2))


def test_registers_that_touch_across_two_readable_ranges_are_two_requests():
    limits = Limits(readable=(Span(3, 0, 2), Span(3, 2, 4)))
    assert plan_blocks([register(0), register(2)], limits) == (Block(3, 0, 2), Block(3, 2, 2))


def test_a_register_outside_the_readable_ranges_is_refused_by_name():
    with pytest.raises(PlanError, match="'r7' at 7 to 8 lie in no one range"):
        plan_blocks([register(7)], Limits(readable=(Span(3, 0, 8),)))


def test_words_of_other_registers_of_the_map_may_be_read_and_undeclared_ones_may_not():
    limits = limits_of(replace(load_map("carlo_gavazzi_em340"), registers=tuple(map(register, (0, 2, 4, 8)))))
    assert plan_blocks([register(0), register(4), register(8)], limits) == (Block(3, 0, 6), Block(3, 8, 2))


def test_nothing_is_read_across_a_cut():
    limits = Limits(cuts=frozenset({(3, 4), (4, 2)}))
    assert plan_blocks([register(0), register(2), register(4)], limits) == (Block(3, 0, 4), Block(3, 4, 2))


def test_a_value_is_decoded_with_the_scale_factor_of_its_own_request():
    blocks = (Block(3, 10, 2), Block(3, 11, 3))
    scaled = register(12, "u16", scale_at=11)
    assert register_words(scaled, blocks, [0, 1, 2, 7, 0]) == ((7,), 2)


@given(st.lists(REGISTERS, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_any_words_decode_to_a_value_or_a_reason_through_any_plan(registers, random):
    blocks = plan_blocks(registers)
    words = [random.randrange(0x10000) for block in blocks for _ in range(block.count)]
    for wanted in registers:
        outcome = decode_in(wanted, blocks, words)
        assert isinstance(outcome, Quality) or -(2**63) <= outcome < 2**63


@given(st.sampled_from([kind for kind in WordType if not (kind.is_float or kind.is_sized_by_register)]), st.data())
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

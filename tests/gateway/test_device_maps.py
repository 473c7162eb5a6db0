"""Every device map says what it knows from where and what it does not, and its words decode to what the meter shows."""

import struct
from fractions import Fraction

import pytest

from gateway.maps import load_map, map_names, sunspec_models
from metering.decode import decode
from metering.devicemap import Register, Tier, VectorKind, WordType
from metering.errors import DeviceMapError
from metering.measurands import Kind
from metering.quality import Quality

# What struct calls each type; independent of the decoder.
CODES = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q", "f32": "f", "f64": "d"}
EXTREMES = {
    "u16": (0, 2**16 - 1), "s16": (-(2**15), 2**15 - 1), "u32": (0, 2**32 - 1), "s32": (-(2**31), 2**31 - 1),
    "u64": (0, 2**64 - 1), "s64": (-(2**63), 2**63 - 1), "f32": (-1.0, 16_777_216.0), "f64": (-1.0, 2.0**40),
}  # fmt: skip
SCALES = (0, -2, 3)  # the exponents that scale registers show here


def words_of(register: Register, number: float) -> list[int]:
    data = struct.pack(">" + CODES[register.type.value], number)
    words = [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]
    return words[::-1] if register.word_order == "little" else words


# SunSpec models stand anywhere; their facts are the same everywhere.
NAMES = [*map_names(), *(f"sunspec/{model}@40070" for model in sunspec_models())]
ALL = [(name, register) for name in NAMES for register in load_map(name).registers]


def each_register(test):
    ids = [f"{name}:{register.name}" for name, register in ALL]
    return pytest.mark.parametrize(("name", "register"), ALL, ids=ids)(test)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_names_its_sources_and_what_was_really_read_and_claims_no_more_than_they_prove(name):
    device_map = load_map(name)
    assert all(source.title and source.read for source in device_map.sources)
    assert device_map.caveats
    assert device_map.tier is Tier.UNVERIFIED or len(device_map.sources) > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_map_says_what_it_does_not_know(name):
    device_map = load_map(name)
    caveats = " ".join(device_map.caveats)
    measured = {register.measurand.name for register in device_map.registers}
    assert device_map.identity is not None or "serial number" in caveats
    assert device_map.ct is not None or not any(name.startswith("energy_") for name in measured)
    counters = [register for register in device_map.registers if register.measurand.kind is Kind.COUNTER]
    if any(register.type is WordType.F32 for register in counters):
        assert "24 bits" in caveats, "a float counter loses its small steps as it grows"
    if any(register.modulus is None for register in counters):
        assert "wrap" in caveats or "24 bits" in caveats


@pytest.mark.parametrize("name", NAMES)
def test_every_vector_of_a_map_decodes_to_what_it_says(name):
    device_map = load_map(name)
    for vector in device_map.vectors:
        register = device_map.register(vector.register)
        assert register is not None
        assert decode(register, vector.words, vector.scale_word) == vector.expected, vector


@each_register
def test_a_register_has_the_vectors_that_its_facts_ask_for(name, register):
    kinds = {vector.kind for vector in load_map(name).vectors if vector.register == register.name}
    counts = register.measurand.kind is Kind.COUNTER
    power = register.measurand.name in {"active_power_w", "heat_power_w"}
    wanted = {VectorKind.TYPICAL}
    wanted |= {VectorKind.NEGATIVE} if power and (register.type.is_signed or register.type.is_float) else set()
    wanted |= {VectorKind.MAXIMUM} if counts else set()
    wanted |= {VectorKind.ROLLOVER} if register.modulus else set()
    wanted |= {VectorKind.SENTINEL} if register.sentinels or (register.type.is_float and (counts or power)) else set()
    assert kinds >= wanted, f"{name}: {register.name} lacks vectors: {', '.join(sorted(wanted - kinds))}"
    assert kinds <= wanted, f"{name}: {register.name} has vectors that no fact of it asks for"


@pytest.mark.parametrize("name", NAMES)
def test_the_rollover_vector_is_the_last_value_before_the_modulus(name):
    device_map = load_map(name)
    for vector in device_map.vectors:
        if vector.kind is VectorKind.ROLLOVER:
            register = device_map.register(vector.register)
            scale = register.scale * (Fraction(10) ** (vector.scale_word or 0))
            assert vector.expected == (register.modulus - 1) * scale * register.measurand.quanta_per_unit


def test_there_are_maps_for_what_stands_on_most_sites():
    assert len(map_names()) >= 30
    assert sum(load_map(name).tier is Tier.CROSS_CHECKED for name in map_names()) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_no_two_registers_of_a_map_overlap(name):
    taken: dict[tuple[int, int], str] = {}
    for register in load_map(name).registers:
        for address in range(register.address, register.address + register.words):
            assert taken.setdefault((register.function, address), register.name) == register.name


@each_register
def test_a_register_decodes_what_struct_wrote(name, register):
    for exponent in SCALES:
        for number in (1234, *EXTREMES[register.type.value]):
            _decodes_what_struct_wrote(register, number, exponent)


def _decodes_what_struct_wrote(register, number, exponent):
    words = words_of(register, number)
    bits = int.from_bytes(struct.pack(">" + CODES[register.type.value], number))
    has_scale = register.scale_register is not None
    outcome = decode(register, words, exponent & 0xFFFF if has_scale else None)
    exact = Fraction(number) * register.scale * register.measurand.quanta_per_unit
    exact *= Fraction(10) ** exponent if has_scale else 1
    if bits in register.sentinels:
        assert outcome is Quality.SENTINEL
    elif not -(2**63) <= round(exact) < 2**63:
        assert outcome is Quality.OUT_OF_RANGE
    else:
        assert outcome == round(exact)


@each_register
def test_each_code_for_not_available_is_a_reason_and_never_a_number(name, register):
    codes = [list(pattern.to_bytes(2 * register.words)) for pattern in register.sentinels]
    patterns = [[256 * code[at] + code[at + 1] for at in range(0, len(code), 2)] for code in codes]
    if register.type.is_float:
        patterns += [words_of(register, float("nan"))]
    for words in patterns:
        ordered = words[::-1] if register.word_order == "little" and not register.type.is_float else words
        assert decode(register, ordered, 0) is Quality.SENTINEL
    if register.scale_register is not None:
        assert decode(register, words_of(register, 1), 0x8000) is Quality.SENTINEL


@each_register
def test_a_known_modulus_is_what_the_register_wraps_at(name, register):
    if register.modulus is None:
        return
    assert register.measurand.kind is Kind.COUNTER
    before, after = (
        decode(register, words_of(register, register.modulus - 1), 0),
        decode(register, words_of(register, 1), 0),
    )
    step = register.scale * register.measurand.quanta_per_unit
    assert (after - before) % (register.modulus * step) == 2 * step


@each_register
def test_only_instants_and_floats_may_be_negative(name, register):
    if register.type in {WordType.S32, WordType.S16, WordType.S64, WordType.F32}:
        assert decode(register, words_of(register, -5), 0) == round(
            -5 * register.scale * register.measurand.quanta_per_unit
        )


def test_an_unknown_map_is_refused_with_those_that_exist():
    with pytest.raises(
        DeviceMapError, match=r"unknown device map 'schneider'; allowed: .*schneider_iem3000.*\.toml file"
    ):
        load_map("schneider")


def test_a_map_can_be_a_file_of_ones_own(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(load_map("burner_controller").text)
    assert load_map(str(file)).digest == load_map("burner_controller").digest

"""Every device map: it names its sources, and hand-made words decode to what the meter displays."""

import struct
from fractions import Fraction

import pytest

from gateway.maps import load_map, map_names
from metering.decode import decode
from metering.devicemap import Register, Tier, WordType
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


ALL = [(name, register) for name in map_names() for register in load_map(name).registers]


def each_register(test):
    ids = [f"{name}:{register.name}" for name, register in ALL]
    return pytest.mark.parametrize("register", [register for _, register in ALL], ids=ids)(test)


@pytest.mark.parametrize("name", map_names())
def test_a_map_names_its_sources_and_what_was_really_read_and_claims_no_more_than_they_prove(name):
    device_map = load_map(name)
    assert all(source.title and source.read for source in device_map.sources)
    assert device_map.caveats
    assert device_map.tier is Tier.UNVERIFIED or len(device_map.sources) > 1


@pytest.mark.parametrize("name", map_names())
def test_no_two_registers_of_a_map_overlap(name):
    taken: dict[tuple[int, int], str] = {}
    for register in load_map(name).registers:
        for address in range(register.address, register.address + register.words):
            assert taken.setdefault((register.function, address), register.name) == register.name


@each_register
@pytest.mark.parametrize("exponent", SCALES)
@pytest.mark.parametrize("which", ["typical", "lowest", "highest"])
def test_a_register_decodes_what_struct_wrote(register, exponent, which):
    lowest, highest = EXTREMES[register.type.value]
    number = {"typical": 1234, "lowest": lowest, "highest": highest}[which]
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
def test_each_code_for_not_available_is_a_reason_and_never_a_number(register):
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
def test_a_known_modulus_is_what_the_register_wraps_at(register):
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
def test_only_instants_and_floats_may_be_negative(register):
    if register.type in {WordType.S32, WordType.S16, WordType.S64, WordType.F32}:
        assert decode(register, words_of(register, -5), 0) == round(
            -5 * register.scale * register.measurand.quanta_per_unit
        )


# Worked out by hand from the register facts: (map, measurand) → words, word of the scale register, quanta.
BY_HAND = {
    ("sunspec_103", "active_power_w"): ([0x1388], 0xFFFF, 500_000),  # 5000 × 10^-1 W
    ("sunspec_103", "energy_export_total_wh"): ([0x0001, 0x0000], 0x0000, 65_536_000),  # 65,536 Wh
    ("schneider_iem3000", "energy_export_total_wh"): ([0, 0, 0x0001, 0x86A0], None, 100_000_000),  # 100,000 Wh
    ("schneider_iem3000", "active_power_w"): ([0x3FC0, 0x0000], None, 1_500_000),  # 1.5 kW
    ("multical_403", "heat_total_j"): ([0x447A, 0x0000], None, 3_600_000_000),  # 1000 kWh
    ("carlo_gavazzi_em340", "voltage_l1_v"): ([0x08FC, 0x0000], None, 230_000),  # 2300 × 0.1 V, low word first
    ("carlo_gavazzi_em340", "energy_import_total_wh"): ([0x0000, 0x0001], None, 6_553_600_000),  # 65,536 × 0.1 kWh
    ("burner_controller", "burner_state"): ([0x0001], None, 1),
}


@pytest.mark.parametrize("case", BY_HAND, ids=" ".join)
def test_words_worked_out_by_hand_decode_to_the_display(case):
    name, measurand = case
    words, scale, quanta = BY_HAND[case]
    register = load_map(name).register_for(measurand)
    assert register is not None
    assert decode(register, words, scale) == quanta


def test_an_unknown_map_is_refused_with_those_that_exist():
    with pytest.raises(
        DeviceMapError, match=r"unknown device map 'schneider'; allowed: .*schneider_iem3000.*\.toml file"
    ):
        load_map("schneider")


def test_a_map_can_be_a_file_of_ones_own(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(load_map("burner_controller").text)
    assert load_map(str(file)).digest == load_map("burner_controller").digest

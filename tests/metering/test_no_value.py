"""What a device sends when it has nothing to say is never a number: SunSpec's codes, and floats that are no numbers.

References:
    SunSpec Device Information Model Specification, "Unimplemented registers": the code of each type.
"""

import pytest

from metering.decode import decode, decode_identity
from metering.devicemap import IdentityRegister, WordType
from metering.quality import Quality

# The name that SunSpec gives a type, ours, and its code, typed by hand.
SUNSPEC = [
    ("int16", "s16", [0x8000]),
    ("uint16", "u16", [0xFFFF]),
    ("enum16", "u16", [0xFFFF]),
    ("acc16", "u16", [0x0000]),
    ("int32", "s32", [0x8000, 0x0000]),
    ("uint32", "u32", [0xFFFF, 0xFFFF]),
    ("enum32", "u32", [0xFFFF, 0xFFFF]),
    ("acc32", "u32", [0x0000, 0x0000]),
    ("int64", "s64", [0x8000, 0x0000, 0x0000, 0x0000]),
    ("uint64", "u64", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF]),
    ("acc64", "u64", [0x0000, 0x0000, 0x0000, 0x0000]),
    ("bitfield16", "bits", [0xFFFF]),
    ("bitfield32", "bits", [0xFFFF, 0xFFFF]),
]
NAMES = [name for name, _, _ in SUNSPEC]


def as_map(word_type: str, words: list[int]) -> str:
    code = "".join(f"{word:04X}" for word in words)
    size = f'count = {len(words)}\nmask = "0x0004"\n' if word_type == "bits" else ""
    return f'{size}sentinels = ["0x{code}"]'


@pytest.mark.parametrize(("name", "word_type", "words"), SUNSPEC, ids=NAMES)
def test_the_code_of_each_sunspec_type_for_not_implemented_is_never_a_value(register, name, word_type, words):
    assert decode(register(word_type, as_map(word_type, words), "heat_total_j"), words) is Quality.SENTINEL


@pytest.mark.parametrize(("name", "word_type", "words"), SUNSPEC, ids=NAMES)
def test_one_bit_beside_the_code_it_is_a_value(register, name, word_type, words):
    beside = [*words[:-1], words[-1] ^ 1]
    found = decode(register(word_type, as_map(word_type, words), "burner_state"), beside)
    assert isinstance(found, Quality) == (name == "uint64"), "only 2^64 - 2 is more than an int64 holds"


def test_a_scale_factor_that_is_not_implemented_leaves_no_value(register):
    scaled = register("u16", "scale_register = { address = 9 }")
    assert decode(scaled, [7], 0x8000) is Quality.SENTINEL


def test_a_text_of_zeros_is_no_text():
    assert decode_identity(IdentityRegister(3, 0, WordType.STRING, 16), [0] * 16) is Quality.SENTINEL


@pytest.mark.parametrize(
    ("words", "quanta"),
    [
        ([0x0000, 0x0001], 0),  # 2^-149, the smallest there is
        ([0x007F, 0xFFFF], 0),  # just below 2^-126, where denormals end
        ([0x8000, 0x0001], 0),
        ([0x3A03, 0x126F], 1),  # 0.0005 as a float is a little more, so the nearest quantum is 0.001
        ([0x7FC0, 0x0000], Quality.SENTINEL),  # the NaN that SunSpec names
        ([0xFFFF, 0xFFFF], Quality.SENTINEL),  # another one
        ([0x7F80, 0x0001], Quality.SENTINEL),  # one that signals
        ([0x7F80, 0x0000], Quality.OUT_OF_RANGE),  # infinity
        ([0xFF80, 0x0000], Quality.OUT_OF_RANGE),
    ],
)
def test_a_float_is_a_number_however_small_and_infinity_and_nan_are_none(register, words, quanta):
    found = decode(register("f32"), words)
    assert found == quanta
    assert isinstance(found, Quality) == isinstance(quanta, Quality)

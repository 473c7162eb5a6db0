"""Device maps: every fault is named with its register, and the digest is that of the exact text."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from metering.devicemap import Access, Tier, WordType, parse_device_map
from metering.errors import DeviceMapError

CASES = Path(__file__).parents[1] / "golden" / "device-map-1"
GOOD = sorted(path.parent for path in CASES.glob("*/expected.json"))
BROKEN = sorted(path.parent for path in CASES.glob("*/expected_error.txt"))


def as_data(device_map):
    """What a map says, in JSON's words: exact fractions as text. Keys that came later are there if they say a thing."""
    later = {
        "ct": device_map.ct,
        "access": dataclasses.asdict(device_map.access) if device_map.access != Access() else None,
        "identity": device_map.identity and dataclasses.asdict(device_map.identity),
        "vectors": [dataclasses.asdict(vector) for vector in device_map.vectors],
    }
    return json.loads(json.dumps({key: value for key, value in later.items() if value})) | {
        "make": device_map.make,
        "model": device_map.model,
        "tier": device_map.tier,
        "sources": [[source.title, source.revision, source.page, source.read] for source in device_map.sources],
        "caveats": list(device_map.caveats),
        "registers": [
            {
                "name": register.name,
                "measurand": register.measurand.name,
                "function": register.function,
                "address": register.address,
                "type": register.type,
                "words": register.words,
                "word_order": register.word_order,
                "byte_order": register.byte_order,
                "scale": str(register.scale),
                "scale_address": register.scale_register and register.scale_register.address,
                "sentinels": sorted(register.sentinels),
                "modulus": register.modulus,
                "reset_source": register.reset_source,
            }
            | {
                key: getattr(register, key)
                for key in ("count", "mask", "nonvolatile_s", "orientation")
                if getattr(register, key) is not None
            }
            for register in device_map.registers
        ],
    }


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_golden_map_reads_as_it_was_written(case):
    text = (case / "map.toml").read_text()
    device_map = parse_device_map(text)
    assert as_data(device_map) == json.loads((case / "expected.json").read_text())
    assert device_map.text == text
    assert device_map.digest == hashlib.sha256((case / "map.toml").read_bytes()).hexdigest()


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_a_broken_golden_map_is_named_with_its_file_and_its_fault(case):
    expected = (case / "expected_error.txt").read_text().splitlines()
    with pytest.raises(DeviceMapError, match=r"^ex-1\.toml: ") as caught:
        parse_device_map((case / "map.toml").read_text(), "ex-1.toml")
    found = [line.removeprefix("ex-1.toml: ") for line in str(caught.value).splitlines()]
    # Beginnings: the end of a line may be pydantic's own sentence.
    assert [line.startswith(start) for line, start in zip(found, expected, strict=True)] == [True] * len(expected)


def test_every_golden_map_is_walked():
    assert {*GOOD, *BROKEN} == set(CASES.iterdir())


@pytest.mark.parametrize(
    ("word_type", "words", "is_float", "is_signed"),
    [
        (WordType.U16, 1, False, False),
        (WordType.S16, 1, False, True),
        (WordType.U32, 2, False, False),
        (WordType.S32, 2, False, True),
        (WordType.U64, 4, False, False),
        (WordType.S64, 4, False, True),
        (WordType.F32, 2, True, False),
        (WordType.F64, 4, True, False),
        (WordType.MOD10, 1, False, False),
        (WordType.STRING, 1, False, False),
    ],
)
def test_a_word_type_knows_its_width_and_its_nature(word_type, words, is_float, is_signed):
    assert (word_type.words, word_type.is_float, word_type.is_signed) == (words, is_float, is_signed)


def test_a_register_is_found_by_its_name_or_by_what_it_holds():
    device_map = parse_device_map((CASES / "two-registers" / "map.toml").read_text())
    assert device_map.register("power").measurand.name == "active_power_w"
    assert device_map.register_for("energy_export_total_wh").name == "exported energy"
    assert device_map.register("nothing") is None
    assert device_map.register_for("frequency_hz") is None


def test_a_map_whose_text_differs_in_a_space_is_another_map():
    text = (CASES / "two-registers" / "map.toml").read_text()
    assert parse_device_map(text).digest != parse_device_map(text + " ").digest


def test_the_tiers_are_the_three_that_statements_know():
    assert [tier.value for tier in Tier] == ["unverified", "cross-checked", "bench"]


@pytest.mark.parametrize("scale", ["1e9", "1e999999999", "1/0", "-1", "", "0", "inf", "1" * 21])
def test_scale_is_a_plain_decimal_or_fraction_so_that_no_birth_can_exhaust_memory(scale: str) -> None:
    text = f"""
schema = "sakugen.devicemap/1"
make = "Test"
model = "Scale"
tier = "unverified"
source = [{{ title = "written for this test", read = "nothing" }}]
[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 1
type = "u16"
scale = "{scale}"
"""
    with pytest.raises(DeviceMapError, match="positive decimal or fraction"):
        parse_device_map(text)


def test_a_fact_that_changes_no_value_does_not_make_another_register():
    plain, informed = (
        parse_device_map((CASES / "two-registers" / "map.toml").read_text() + more).register("power")
        for more in ("", 'orientation = "import-positive"\nnonvolatile_s = 300\n')
    )
    assert informed.orientation == "import-positive"
    assert informed.nonvolatile_s == 300
    assert informed == plain
    assert hash(informed) == hash(plain)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = " + "[" * 1999, "longer than"),
        ("a = [" + "[\n" * 5000, "recursion"),
        ("a = " + "1" * 1990, "."),
        ("a = 0." + "1" * 1990, "."),
        ("a" + ".b" * 130_000 + " = 1", "longer than"),
        ("#\n" * 131_073, "longer than"),
        ("a = 2026-02-30", "Invalid date"),
    ],
    ids=["long line", "deep", "many digits", "many decimals", "many parts", "long", "no date"],
)
def test_any_text_of_a_birth_is_a_map_or_a_fault_and_soon(text, problem):
    """One gateway's birth must not stop ingest: it would come again at every start."""
    with pytest.raises(DeviceMapError, match=problem):
        parse_device_map(text)

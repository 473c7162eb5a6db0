"""Every value must be what its raw words say under the map that the gateway signed."""

import pytest

from metering import record
from metering.decode import pack_words
from metering.quality import Quality
from registry.evidence import Link
from registry.redecode import redecode

START_MS = 1_767_000_000_000 // 3_600_000 * 3_600_000
WH = 9_000_000
WORDS = (0, 0, 137, 21568)  # 9 000 000 by hand: 137 * 65536 + 21568


def _redecoded(plant):
    return redecode([Link.of(data) for data in plant.records])


def test_an_honest_plant_has_no_fault_and_everything_was_compared(plant):
    plant.birth()
    plant.days(START_MS, 24)
    decoded = _redecoded(plant)
    assert decoded.faults == ()
    assert decoded.compared == 24


def test_words_typed_by_hand_give_the_value(plant):
    plant.birth()
    plant.readings({START_MS: WH}, raw=(pack_words(WORDS),))
    assert _redecoded(plant).faults == ()


def test_a_value_that_its_words_do_not_say_is_named_with_point_slot_and_both(plant):
    plant.birth()
    plant.readings({START_MS: WH + 1}, raw=(pack_words(WORDS),))
    (fault,) = _redecoded(plant).faults
    assert "point ac-bus energy_export_total_wh" in fault
    assert f"slot {START_MS}" in fault
    assert "says 9000001000, its raw words say 9000000000" in fault


def test_a_map_with_another_word_order_decodes_to_another_value(plant):
    plant.map_text = plant.map_text.replace('type = "u64"', 'type = "u64"\nword_order = "little"')
    plant.birth()
    plant.readings({START_MS: WH})
    assert len(_redecoded(plant).faults) == 1


def test_a_value_without_words_is_a_fault(plant):
    plant.birth()
    plant.readings({START_MS: WH}, raw=("",))
    (fault,) = _redecoded(plant).faults
    assert "its raw words say nothing" in fault


@pytest.mark.parametrize("code", [Quality.NO_ANSWER, Quality.EXCEPTION])
def test_an_answer_passed_over_in_silence_is_a_fault(plant, code):
    plant.birth()
    plant.readings({START_MS: None}, raw=(pack_words(WORDS),), quality=((0, 0, int(code)),))
    (fault,) = _redecoded(plant).faults
    assert f"says {code.label}, its raw words say 9000000000" in fault


@pytest.mark.parametrize("raw", ["", pack_words((0, 0, 0, 0))])
def test_a_block_that_did_not_answer_is_zero_words_or_none(plant, raw):
    plant.birth()
    plant.readings({START_MS: None}, raw=(raw,))
    assert _redecoded(plant).faults == ()


def test_a_sentinel_must_be_in_the_words(plant):
    plant.map_text += 'sentinels = ["0xFFFFFFFFFFFFFFFF"]\n'
    plant.birth()
    sentinel = ((0, 0, int(Quality.SENTINEL)),)
    plant.readings({START_MS: None}, raw=(pack_words((65535,) * 4),), quality=sentinel)
    assert _redecoded(plant).faults == ()
    plant.readings({START_MS + 3_600_000: None}, raw=(pack_words(WORDS),), quality=sentinel)
    (fault,) = _redecoded(plant).faults
    assert "says sentinel, its raw words say 9000000000" in fault


def test_a_value_is_no_sentinel_though_it_is_the_number_of_its_code(plant):
    plant.map_text += 'sentinels = ["0xFFFFFFFFFFFFFFFF"]\n'
    plant.birth()
    plant.readings({START_MS: WH}, raw=(pack_words((65535,) * 4),), values=((int(Quality.SENTINEL),),))
    (fault,) = _redecoded(plant).faults
    assert f"says {int(Quality.SENTINEL)}, its raw words say sentinel" in fault


def test_a_reason_that_words_do_not_tell_is_believed(plant):
    plant.birth()
    plant.readings({START_MS: None}, raw=(pack_words(WORDS),), quality=((0, 0, int(Quality.BAD_FRAME)),))
    assert _redecoded(plant).faults == ()


def test_words_without_the_register_are_no_silence(plant):
    """The blocks of the birth do not hold the register, so the words there are answers to something else."""
    plant.map_text = plant.map_text.replace("address = 3204", "address = 3208")
    plant.birth()
    plant.readings({START_MS: None}, raw=(pack_words((0, 0, 0, 0)),))
    (fault,) = _redecoded(plant).faults
    assert "says no-answer, its raw words say bad-frame" in fault


@pytest.mark.parametrize(("raw", "why"), [("!", "not base64"), (pack_words((1, 2)), "2 raw words, its blocks have 4")])
def test_words_that_cannot_be_read_are_a_fault(plant, raw, why):
    plant.birth()
    plant.readings({START_MS: WH}, raw=(raw,))
    (fault,) = _redecoded(plant).faults
    assert why in fault


def test_readings_without_their_birth_cannot_be_decoded(plant):
    plant.birth()
    plant.days(START_MS, 6)
    del plant.records[0]
    (fault,) = _redecoded(plant).faults
    assert "cannot be decoded again: no birth before it" in fault


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('name = "energy_export_total"', 'name = "another"', "has no register 'energy_export_total'"),
        ("energy_export_total_wh", "energy_import_total_wh", "that holds energy_export_total_wh"),
        ('tier = "cross-checked"', 'tier = "sure"', "tier = 'sure'"),
    ],
)
def test_a_map_that_does_not_serve_the_point_is_a_fault(plant, old, new, why):
    plant.map_text = plant.map_text.replace(old, new)
    plant.birth()
    plant.readings({START_MS: WH})
    faults = _redecoded(plant).faults
    assert why in " ".join(faults)
    assert not any("its raw words say" in fault for fault in faults), "nothing says what the words mean"


def test_readings_that_a_thinned_record_keeps_are_decoded_too(plant):
    plant.birth()
    plant.days(START_MS, 12)
    lost = plant.records[1:]
    kept = record.parse(lost[0]).groups[0]
    lie = kept.model_copy(update={"values": (tuple(value + 1 for value in kept.values[0]),)})
    for groups, faults in (((kept,), 0), ((lie,), 6)):
        del plant.records[1:]
        plant.instead_of(lost, START_MS, START_MS + 12 * 3_600_000, kind="thinned", groups=groups)
        decoded = _redecoded(plant)
        assert (decoded.compared, len(decoded.faults)) == (6, faults)


def test_the_later_birth_of_a_stream_governs_what_follows(plant):
    plant.birth()
    plant.readings({START_MS: WH})
    plant.map_text = plant.map_text.replace('type = "u64"', 'type = "u64"\nscale = "10"')
    plant.birth()
    plant.readings({START_MS + 3_600_000: WH})
    (fault,) = _redecoded(plant).faults
    assert "record 4" in fault

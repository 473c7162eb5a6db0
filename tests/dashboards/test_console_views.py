"""How numbers and times are written for people."""

import pytest

from dashboards.console.views import age_text, civil_text, unit_text, value_text


@pytest.mark.parametrize(
    ("measurand", "quanta", "text"),
    [
        ("energy_export_total_wh", 1_234_567_890_123, "1,234,567,890"),
        ("energy_export_total_wh", 0, "0"),
        ("active_power_w", -4_235_250, "-4,235.2"),
        ("voltage_l1_v", 229_812, "229.812"),
        ("supply_temperature_degc", -500, "-0.5"),
        ("heat_total_j", 912_345_678_900, "912,345,678,900"),
        ("burner_state", 1, "1"),
        ("active_power_w", None, "–"),
    ],
)
def test_a_value_is_written_in_its_unit(measurand, quanta, text):
    assert value_text(measurand, quanta) == text


def test_units_are_written_as_people_write_them_and_a_state_has_none():
    written = [
        unit_text(name) for name in ("active_power_w", "supply_temperature_degc", "volume_total_m3", "burner_state")
    ]
    assert written == ["W", "°C", "m³", ""]


@pytest.mark.parametrize(
    ("age_ms", "text"),
    [
        (-5_000, "0 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (3_599_999, "59 min"),
        (3_600_000, "1 h 0 min"),
        (47 * 3_600_000 + 59 * 60_000, "47 h 59 min"),
        (50 * 3_600_000, "2 d 2 h"),
    ],
)
def test_an_age_has_at_most_two_units(age_ms, text):
    assert age_text(age_ms) == text


def test_a_slot_is_written_in_the_projects_civil_time():
    assert civil_text(1_767_196_800_000, "Asia/Ulaanbaatar") == "2026-01-01 00:00"
    assert civil_text(1_767_196_800_000, "Asia/Ho_Chi_Minh") == "2025-12-31 23:00"

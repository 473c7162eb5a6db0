"""What the console shows of a journal that real records were taken into."""

import pytest

from dashboards.console.config import ConsoleSettings
from dashboards.console.sources import Sources
from metering.clock import ClockState, ClockStatus
from metering.config import ConfigError, parse_toml

SLOT_MS = 1_767_189_600_000


class FixedClock:
    """A clock that shows what the test says."""

    def __init__(self, now_ms, factor=1.0):
        self.now = now_ms
        self.factor = factor

    def now_ms(self):
        return self.now

    def mono_ms(self):
        return self.now

    def status(self):
        return ClockStatus(ClockState.SYNCHRONISED, 0)


@pytest.fixture
def look(settings_text):
    def snapshot(now_ms, factor=1.0):
        settings = parse_toml(settings_text(), ConsoleSettings, "console.toml")
        (project,) = Sources(settings, FixedClock(now_ms, factor)).snapshot().projects
        return project

    return snapshot


def test_before_ingest_has_made_a_journal_everything_is_waited_for(look):
    project = look(SLOT_MS)
    assert (project.readings, project.gateway.streams, project.tonnes.vintages) == ((), (), ())
    assert project.trouble == ""
    assert project.gateway.name == "gw-solar"


@pytest.mark.usefixtures("plant")
def test_a_journal_without_this_gateway_is_waited_for_too(look):
    project = look(SLOT_MS)
    assert (project.readings, project.gateway.streams, project.trouble) == ((), (), "")


def test_readings_are_shown_in_units_with_age_and_quality(look, plant):
    plant.birth()
    plant.read(SLOT_MS, energy_mwh=1_234_567_890, power_mw=4_235_250)
    power, energy = look(SLOT_MS + 12 * 60_000).readings
    assert (energy.point, energy.measurand, energy.value, energy.unit) == (
        "ac-bus",
        "energy_export_total_wh",
        "1,234,568",
        "Wh",
    )
    assert (power.value, power.unit, power.age, power.quality) == ("4,235.2", "W", "12 min", "ok")
    assert power.slot == "2025-12-31 22:00"
    assert not power.deviates


def test_a_reading_that_was_not_obtained_shows_no_number_and_why(look, plant):
    plant.birth()
    plant.read(SLOT_MS, energy_mwh=1_000, power_mw=None)
    power, energy = look(SLOT_MS + 1_000).readings
    assert (power.value, power.quality, power.deviates) == ("–", "no-answer", True)
    assert (energy.value, energy.deviates) == ("1", False)


def test_an_old_reading_deviates_and_the_limit_follows_the_clocks_factor(look, plant):
    plant.birth()
    plant.read(SLOT_MS, energy_mwh=1_000, power_mw=1_000)
    later_ms = SLOT_MS + 31 * 60_000
    assert all(reading.deviates for reading in look(later_ms).readings)
    assert not any(reading.deviates for reading in look(later_ms, factor=14_400).readings)


def test_the_stream_head_and_the_refused_messages_are_counted(look, plant):
    plant.birth()
    plant.read(SLOT_MS, energy_mwh=1_000, power_mw=1_000)
    plant.refuse()
    gateway = look(SLOT_MS + 90_000).gateway
    (stream,) = gateway.streams
    assert (stream.stream, stream.head, stream.heard) == (plant.stream, 2, "30 s")
    assert (gateway.held, gateway.refused, gateway.incidents) == (0, 1, ())


def test_a_held_record_is_counted_and_shows_no_reading(look, plant):
    plant.birth()
    plant.read(SLOT_MS, energy_mwh=1_000, power_mw=1_000, words="AAAA")
    project = look(SLOT_MS)
    assert (project.gateway.held, project.readings) == (1, ())


def test_a_journal_that_cannot_be_read_is_said_and_stops_nothing_else(look, tmp_path):
    (tmp_path / "journal.sqlite").write_bytes(b"this is not a journal, whatever its name says" * 10)
    project = look(SLOT_MS)
    assert "cannot be read as a journal" in project.trouble
    assert project.gateway.name == "gw-solar"


def test_a_wrong_key_is_reported_with_its_line(settings_text):
    with pytest.raises(ConfigError, match=r"console.toml:5: colour = 'red': unknown key"):
        parse_toml(settings_text('colour = "red"'), ConsoleSettings, "console.toml")


def test_an_unknown_time_zone_and_a_project_listed_twice_are_refused(settings_text):
    text = settings_text()
    with pytest.raises(ConfigError, match="unknown time zone"):
        parse_toml(text.replace("Ulaanbaatar", "Nowhere"), ConsoleSettings, "console.toml")
    project = text[text.index("[[project]]") :]
    with pytest.raises(ConfigError, match="a project is listed twice"):
        parse_toml(text + project, ConsoleSettings, "console.toml")


def test_a_newer_record_replaces_what_was_shown(settings_text, plant):
    clock = FixedClock(SLOT_MS)
    sources = Sources(parse_toml(settings_text(), ConsoleSettings, "console.toml"), clock)
    plant.birth()
    for slot, energy_mwh, text in ((0, 1_000, "1"), (1, 2_000, "2"), (2, 4_000, "4")):
        clock.now = SLOT_MS + slot * 900_000
        plant.read(clock.now, energy_mwh=energy_mwh, power_mw=0)
        for _ in range(2):
            _, energy = sources.snapshot().projects[0].readings
            assert (energy.value, energy.age) == (text, "0 s")

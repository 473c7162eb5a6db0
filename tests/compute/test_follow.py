"""A period up to now, month by month: the same to the bit as read at once, in whatever order records come."""

import random
import sqlite3
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from computekit.journals import write_journal
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.engine import evidence_window
from compute.errors import ResultsError
from compute.follow import Follower, SoFar, compute_so_far
from compute.partials import Partials, packed, unpacked
from compute.project import parse_project
from compute.vintages import midnight_ms
from ingest.store.reader import JournalReader
from metering import record
from metering.interval import DAY_MS

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START, END = date(2025, 11, 20), date(2026, 3, 10)
START_MS, END_MS = midnight_ms(START, ZONE), midnight_ms(END, ZONE)
STEP_MS = 4 * HOUR_MS
SLOTS = tuple(range(START_MS - DAY_MS, END_MS + DAY_MS, STEP_MS))
PERIOD = 'period = [{ id = "p1", start = 2025-11-20, end = 2026-03-10 }]'
EXPORT, IMPORT = "energy_export_total_wh", "energy_import_total_wh"


def project_of(text):
    return parse_project(text.replace('period = [{ id = "p1", start = 2025-12-31, end = 2026-01-02 }]', PERIOD))


def counted(seed):
    """A counter of a few MW with what can go wrong with one: stands still, begins anew, is silent, leaps."""
    chance = random.Random(seed)
    values, total, still = {}, 10**13, 0
    for slot in SLOTS:
        luck = chance.random()
        still = max(still - 1, 0) or (8 if luck < 0.01 else 0)
        total += 0 if still else 4_000_000_000
        total = 5_000_000_000 if 0.01 <= luck < 0.013 else total
        values[slot] = None if 0.02 <= luck < 0.06 else total + (10**12 if 0.06 <= luck < 0.065 else 0)
    return values


def felt(seed):
    """A voltage that is there, is not, repeats itself, or cannot be."""
    chance = random.Random(seed)
    values, still, last = {}, 0, 230_000
    for slot in SLOTS:
        luck = chance.random()
        still = max(still - 1, 0) or (20 if luck < 0.02 else 0)
        last = last if still else 225_000 + chance.randrange(9_000)
        values[slot] = None if 0.02 <= luck < 0.05 else (0 if 0.05 <= luck < 0.07 else last)
    return values


def solar(shown, seed):
    power = dict.fromkeys(SLOTS, 1_000_000_000)
    return [
        shown("bus", EXPORT, counted(seed), interval_ms=STEP_MS),
        shown("bus", "active_power_w", power, interval_ms=STEP_MS, orientation="export-positive"),
        shown("aux", IMPORT, counted(seed + 1), interval_ms=STEP_MS, reset_source=None),
    ]


def fleet(shown, seed):
    return [shown("station", f"voltage_l{phase}_v", felt(seed + phase), interval_ms=STEP_MS) for phase in (1, 2, 3)]


def at_once(folder, project):
    return compute_so_far(project, JournalReader(folder / "journal.sqlite"), project.period[0])


def numbers(found):
    """What results.sqlite keeps of it, and everything that it follows from."""
    if found is None:
        return None
    assert isinstance(found, SoFar)
    result = found.result
    hours = [(hour.start_ms, hour.reference, hour.project, hour.reduction) for hour in found.hours]
    return result.interval, result.vintages, result.monitored, result.blocked_by, hours


class Plants(dict):
    """Written short, where Hypothesis tells what it tried."""

    def __repr__(self):
        return f"plants of {', '.join(self)}"


@pytest.fixture(scope="module")
def plants(project_texts, shown, make_records):
    """Project and records by family: each record holds a day of slots."""
    made = Plants()
    for family, parts, more in (("solar-pv", solar, {"auxiliary": True}), ("transformer-fleet", fleet, {})):
        records = make_records(parts(shown, 7), slots_a_record=6)
        made[family] = (project_of(project_texts[family](**more)), records)
    return made


@pytest.fixture
def site(tmp_path):
    """`site(project, records)`: a folder whose journal holds the records."""
    folders = iter(range(10**6))

    def build(records):
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        write_journal(folder / "journal.sqlite", records, END_MS)
        return folder

    return build


def followed(folder, project):
    """What a process that starts now makes of the journal, and which stretches it reads."""
    reader = JournalReader(folder / "journal.sqlite")
    with Partials(folder / "partials.sqlite") as partials:
        follower = Follower(reader, partials)
        follower.look()
        found = follower.so_far(project, project.period[0])
        return found, list(follower.read)


@pytest.mark.parametrize("family", ["solar-pv", "transformer-fleet"])
def test_month_by_month_is_the_same_to_the_bit_as_at_once(plants, site, family):
    project, records = plants[family]
    folder = site(records)
    expected = numbers(at_once(folder, project))
    first, read = followed(folder, project)
    assert numbers(first) == expected
    assert len(read) == 5, "November to February, and March"
    again, read = followed(folder, project)
    assert numbers(again) == expected
    assert len(read) == 1, "only the open month is read again"


@pytest.mark.parametrize("family", ["solar-pv", "transformer-fleet"])
def test_a_late_record_has_only_the_months_read_again_that_it_touches(plants, site, family):
    project, records = plants[family]
    late = records[40]  # a day of the last week of December
    folder = site([*records[:40], *records[41:]])
    followed(folder, project)
    write_journal(folder / "journal.sqlite", [late], END_MS)
    found, read = followed(folder, project)
    assert numbers(found) == numbers(at_once(folder, project))
    assert len(read) == 2, "December, and the open month"


def test_readings_that_waited_for_the_birth_of_their_stream_have_their_months_read_again_when_it_comes(
    plants, site, shown, make_records
):
    project, records = plants["solar-pv"]
    value = dict(counted(7))
    slots = [slot for slot in SLOTS if slot >= midnight_ms(date(2025, 12, 24), ZONE)][:6]
    said_again = shown("bus", EXPORT, {slot: (value[slot] or 0) + 1 for slot in slots}, interval_ms=STEP_MS)
    birth, waiting = make_records([said_again], stream="01JZZZZZZZZZZZZZZZZZZZZZZ2")
    folder = site([*records, waiting])
    before, _ = followed(folder, project)
    write_journal(folder / "journal.sqlite", [birth], END_MS)
    found, read = followed(folder, project)
    assert numbers(found) == numbers(at_once(folder, project)) != numbers(before)
    assert len(read) == 2, "December, and the open month"


def test_a_record_beside_a_months_end_has_both_months_read_again(plants, site):
    project, records = plants["solar-pv"]
    edge_ms = midnight_ms(date(2026, 1, 1), ZONE)
    (late,) = [data for data in records[1:] if record.parse(data).groups[0].slots[0] <= edge_ms <= _last(data)]
    folder = site([data for data in records if data != late])
    followed(folder, project)
    write_journal(folder / "journal.sqlite", [late], END_MS)
    found, read = followed(folder, project)
    assert numbers(found) == numbers(at_once(folder, project))
    assert len(read) == 3


def _last(data):
    return record.parse(data).groups[0].slots[-1]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("family", ["solar-pv", "transformer-fleet"])
def test_any_order_of_arrival_and_any_restart_give_the_same(plants, tmp_path_factory, family, seed):
    project, (birth, *records) = plants[family]
    chance = random.Random(seed)
    # Mostly in order, as gateways send; what is late comes days or months after.
    order = sorted(range(len(records)), key=lambda at: at + (chance.random() < 0.1) * chance.randrange(60))
    folder = tmp_path_factory.mktemp("site")
    journal = folder / "journal.sqlite"
    write_journal(journal, [birth], END_MS)
    rounds = [*sorted(chance.sample(range(1, len(order)), 4)), len(order)]
    done = 0
    with Partials(folder / "partials.sqlite") as partials:
        running = Follower(JournalReader(journal), partials)
        for upto in rounds:
            write_journal(journal, [records[at] for at in order[done:upto]], END_MS)
            done = upto
            if chance.random() < 0.5:
                found, _ = followed(folder, project)
            else:
                running.look()
                found = running.so_far(project, project.period[0])
            assert numbers(found) == numbers(at_once(folder, project))


@pytest.mark.parametrize(
    ("same_from", "same_to", "silent"), [(-3, 24, range(9)), (-24, 3, range(-9, 0)), (-24, 15, range(-12, 0))]
)
def test_a_voltage_that_stays_the_same_across_a_months_end_is_frozen_on_either_side_of_it(
    project_texts, shown, make_records, site, same_from, same_to, silent
):
    """Of the other month too little is read to tell: what is read of it has no value, or most of it."""
    edge_ms = midnight_ms(date(2026, 2, 1), ZONE)
    values = {slot: 225_000 + place % 9_000 for place, slot in enumerate(SLOTS)}
    values |= {slot: 230_000 for slot in SLOTS if same_from <= (slot - edge_ms) // STEP_MS < same_to}
    values |= {slot: None for slot in SLOTS if (slot - edge_ms) // STEP_MS in silent}
    parts = [shown("station", f"voltage_l{phase}_v", values, interval_ms=STEP_MS) for phase in (1, 2, 3)]
    project, records = project_of(project_texts["transformer-fleet"]()), make_records(parts, slots_a_record=6)
    folder = site(records)
    found, _ = followed(folder, project)
    assert numbers(found) == numbers(at_once(folder, project))


def test_a_silence_across_a_months_end_has_everything_read_at_once(plants, site):
    project, (birth, *records) = plants["transformer-fleet"]
    edge_ms = midnight_ms(date(2026, 2, 1), ZONE)
    near = [data for data in records if edge_ms - 4 * DAY_MS <= _last(data) <= edge_ms + 4 * DAY_MS]
    folder = site([birth, *(data for data in records if data not in near)])
    found, read = followed(folder, project)
    assert numbers(found) == numbers(at_once(folder, project))
    window = evidence_window(project, project.period[0])
    assert read[-1] == window


def test_a_counter_that_stands_still_over_a_months_end_is_frozen_all_the_same(project_texts, make_records, shown, site):
    edge_ms = midnight_ms(date(2026, 2, 1), ZONE)
    values = {slot: 10**13 + at * 4_000_000_000 for at, slot in enumerate(SLOTS)}
    still = [slot for slot in SLOTS if abs(slot - edge_ms) <= 12 * HOUR_MS]
    values |= dict.fromkeys(still, values[still[0]])
    power = dict.fromkeys(SLOTS, 1_000_000_000)
    parts = [
        shown("bus", EXPORT, values, interval_ms=STEP_MS),
        shown("bus", "active_power_w", power, interval_ms=STEP_MS, orientation="export-positive"),
    ]
    project = project_of(project_texts["solar-pv"]())
    folder = site(make_records(parts, slots_a_record=6))
    found, _ = followed(folder, project)
    assert "counter-frozen" in {finding.code for finding in at_once(folder, project).result.findings}
    assert numbers(found) == numbers(at_once(folder, project))


def test_what_is_declared_may_change_any_month_so_everything_is_read(plants, site, monkeypatch):
    project, records = plants["solar-pv"]
    folder = site(records)
    asked = []

    def fake(*_, **more):
        asked.append(more)
        raise ResultsError("asked")

    monkeypatch.setattr("compute.follow.work_out", fake)
    with Partials(folder / "partials.sqlite") as partials:
        follower = Follower(JournalReader(folder / "journal.sqlite"), partials)
        follower.look()
        with pytest.raises(ResultsError, match="asked"):
            follower.so_far(project, project.period[0], ("a declaration",))
    assert asked[0]["declared"] == ("a declaration",)
    assert follower.read == [evidence_window(project, project.period[0])]


def test_another_project_file_has_every_month_measured_again(plants, site):
    project, records = plants["solar-pv"]
    folder = site(records)
    followed(folder, project)
    louder = project.model_copy(
        update={"point": tuple(p.model_copy(update={"rated_power_w": "2000000"}) for p in project.point)}
    )
    found, read = followed(folder, louder)
    assert numbers(found) == numbers(at_once(folder, louder))
    assert len(read) == 5


def test_another_journal_has_everything_forgotten(plants, site):
    project, records = plants["solar-pv"]
    one, other = site(records), site(records[:90])
    followed(one, project)
    (one / "partials.sqlite").rename(other / "partials.sqlite")
    found, read = followed(other, project)
    assert numbers(found) == numbers(at_once(other, project))
    assert len(read) > 1


def test_an_older_copy_of_the_journal_has_everything_forgotten(plants, site):
    project, records = plants["solar-pv"]
    folder = site(records)
    followed(folder, project)
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        journal.execute("DELETE FROM records WHERE id > 90")
    journal.close()
    found, read = followed(folder, project)
    assert numbers(found) == numbers(at_once(folder, project))
    assert len(read) > 1


def test_before_anything_was_read_there_is_nothing(plants, site):
    project, (birth, *_) = plants["solar-pv"]
    assert followed(site([birth]), project)[0] is None


def test_a_file_of_another_version_is_made_anew_and_a_broken_one_is_said(plants, site):
    project, records = plants["solar-pv"]
    folder = site(records)
    followed(folder, project)
    with sqlite3.connect(folder / "partials.sqlite") as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    assert len(followed(folder, project)[1]) == 5
    for name in ("partials.sqlite", "partials.sqlite-wal", "partials.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "partials.sqlite").write_bytes(b"no database" * 500)
    with pytest.raises(ResultsError, match="cannot be used for what was measured"):
        followed(folder, project)


def test_a_segment_is_kept_as_integers_and_nothing_that_is_executed(plants, site):
    project, records = plants["solar-pv"]
    folder = site(records)
    followed(folder, project)
    with sqlite3.connect(folder / "partials.sqlite") as file:
        kept = [row[0] for row in file.execute("SELECT arrays FROM segment").fetchall()]
    file.close()
    assert len(kept) == 8, "two parameters in four months"
    assert all(packed(unpacked(one)) == one for one in kept)
    assert max(map(len, kept)) < 64 * 1024

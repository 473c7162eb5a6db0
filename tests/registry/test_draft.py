"""A draft rests on exactly the records it names, and its bundle is the same bytes for ever."""

import json
import sqlite3

import pytest

from metering import note, record
from metering.errors import KeyFileError
from registry.bundle import read_bundle, unframe
from registry.canonical import digest_of, parse_canonical
from registry.check import check_bundle
from registry.draft import export_bundle, finished_bundle, submit_statement
from registry.errors import DraftError, EvidenceUnavailableError, IllegalTransitionError, UnknownStatementError
from registry.signing import verify_detached
from registry.states import State
from registry.store import StatementReader

HOUR_MS = 3_600_000
START_MS = 1_767_024_000_000  # 2025-12-30T00:00:00+08:00, when the plant's records begin


def _reader(world):
    return StatementReader(world.settings.store_file)


def test_a_draft_is_canonical_signed_and_named_by_its_digest(world, signers):
    digest = world.draft()
    data = _reader(world).statement(digest)
    assert digest_of(data) == digest
    assert parse_canonical(data)["whole_tonnes"] == 14
    assert verify_detached(_reader(world).signatures(digest)["operator"], data, signers.ring).name == "test-operator"
    assert _reader(world).row(digest).state is State.DRAFT


def test_the_same_basis_gives_the_same_statement(world):
    assert world.draft() == world.draft() == world.draft(period="new-year")
    assert len(_reader(world).rows()) == 1


def test_a_statement_may_name_the_one_it_replaces(world):
    first = world.draft()
    second = world.draft(supersedes=first)
    assert json.loads(_reader(world).statement(second))["supersedes"] == first
    assert second != first


def test_a_bundle_holds_the_exact_bytes_of_every_record(world, records):
    files = read_bundle(world.export(world.draft()))
    (name,) = (name for name in files if name.startswith("evidence/"))
    assert list(unframe(files[name])) == records
    assert files["project.toml"] == world.project_file.read_bytes()
    assert files["keys.toml"] == world.keys_file.read_bytes()
    assert not any(name.startswith("log/") for name in files)


def test_a_bundle_is_the_same_after_the_world_went_on(world, signers):
    """The project file changed, and the gateway sent more about the same days."""
    digest = world.draft()
    before = world.export(digest).read_bytes()
    world.project_file.write_text("id = 'gone'")
    world.keys_file.write_text("")
    last_data = list(world.journal.records("test-solar", 0, 2**62))[-1].data
    last = record.parse(last_data)
    more = last.model_copy(update={"seq": last.seq + 1, "prev": record.digest_of(last_data)})
    slots = tuple(slot + 6 * HOUR_MS for slot in last.groups[0].slots)
    more = more.model_copy(update={"groups": (last.groups[0].model_copy(update={"slots": slots}),)})
    world.take([record.build(more, signers.gateway)])
    assert len(list(world.journal.records("test-solar", 0, 2**62))) == 19
    assert world.export(digest).read_bytes() == before


def test_evidence_is_the_births_and_what_overlaps_the_period_and_26_hours_around_it(empty_world, plant):
    """Eight days of records for a period of two."""
    plant.birth()
    plant.days(START_MS - 72 * HOUR_MS, 8 * 24)
    empty_world.take(plant.records)
    document = json.loads(_reader(empty_world).statement(empty_world.draft()))
    birth, run = document["evidence"]["runs"]
    assert (birth["first_seq"], birth["last_seq"]) == (1, 1)
    first, last = (record.parse(plant.records[run[key] - 1]).groups[0].slots for key in ("first_seq", "last_seq"))
    start_ms, end_ms = START_MS + 24 * HOUR_MS, START_MS + 72 * HOUR_MS
    assert first[0] <= start_ms - 26 * HOUR_MS <= first[-1]
    assert last[0] < end_ms + 26 * HOUR_MS <= last[-1] + HOUR_MS
    report = check_bundle(empty_world.export(empty_world.draft()), empty_world.keys.ring)
    assert report.ok


def test_records_given_up_are_evidence_and_are_checked(empty_world, plant):
    plant.birth()
    plant.days(START_MS, 96)
    lost = plant.records[3:6]
    seq, prev = plant.seq, plant.prev
    substitute = plant.instead_of(lost, START_MS + 12 * HOUR_MS, START_MS + 30 * HOUR_MS)
    plant.seq, plant.prev = seq, prev
    empty_world.take([*plant.records[:3], substitute, *plant.records[6:17]])
    digest = empty_world.draft()
    document = json.loads(_reader(empty_world).statement(digest))
    assert document["vintages"][0]["reduction_tco2e"]["low"] <= "7.651200000"
    report = check_bundle(empty_world.export(digest), empty_world.keys.ring)
    assert report.ok, report.faults
    (step,) = (step for step in report.steps if step.name == "gateway signatures")
    assert step.detail.startswith("3 signatures")  # the birth, the substitute, the last


def test_a_journal_without_the_project_gives_no_draft(empty_world, plant):
    empty_world.take([plant.birth()])
    text = empty_world.project_file.read_text().replace('id = "test-solar"', 'id = "another"', 1)
    empty_world.project_file.write_text(text)
    with pytest.raises(DraftError, match="no birth of project 'another'; it knows: test-solar"):
        empty_world.draft()


def test_a_missing_project_file_is_named(world):
    world.project_file.unlink()
    with pytest.raises(DraftError, match=r"project\.toml: No such file"):
        world.draft()


def test_keys_that_cannot_be_read_are_told_before_anything_is_stored(world):
    world.keys_file.write_text("key = 1")
    with pytest.raises(KeyFileError, match=r"keys\.toml"):
        world.draft()
    assert StatementReader(world.settings.store_file).rows() == []


def _alter_journal(world, old, new):
    connection = sqlite3.connect(world.journal_file)
    connection.execute(
        "UPDATE records SET bytes = CAST(replace(CAST(bytes AS TEXT), ?, ?) AS BLOB) WHERE seq = 5", (old, new)
    )
    connection.commit()
    connection.close()


def test_a_journal_that_was_changed_gives_neither_draft_nor_bundle_and_the_record_is_named(world):
    digest = world.draft()
    _alter_journal(world, '"mono_ms":5', '"mono_ms":6')
    with pytest.raises(EvidenceUnavailableError, match=r"record 5 \(readings\) was stored with digest"):
        world.export(digest)
    with pytest.raises(EvidenceUnavailableError, match=r"record 5 \(readings\) was stored with digest"):
        world.draft(supersedes=digest)


def test_another_journal_cannot_stand_in_for_the_one_drawn_up_from(world, plant, tmp_path):
    """It begins with the same birth."""
    digest = world.draft()
    world.journal_file.rename(tmp_path / "moved.sqlite")
    world.take([plant.birth()])
    with pytest.raises(EvidenceUnavailableError, match=r"rests on 18 records; .* does not give 17 of them"):
        world.export(digest)


def test_an_unknown_statement_has_no_bundle(world):
    world.draft()
    with pytest.raises(UnknownStatementError, match=r"a{64}"):
        export_bundle(_reader(world), world.journal, "a" * 64, world.folder / "x.zip")
    with pytest.raises(UnknownStatementError, match=r"a{64}"):
        finished_bundle(_reader(world), world.journal, "a" * 64, world.folder / "bundles")


def test_a_finished_bundle_is_made_once_and_named_by_both_digests(world):
    digest = world.draft()
    folder = world.folder / "bundles"
    path = finished_bundle(_reader(world), world.journal, digest, folder)
    assert path.name == f"{digest}.{digest_of(path.read_bytes())}.zip"
    world.journal_file.unlink()
    assert finished_bundle(_reader(world), world.journal, digest, folder) == path
    assert list(folder.iterdir()) == [path]


def test_a_bundle_that_cannot_be_made_leaves_nothing_behind(world, plant, tmp_path):
    digest = world.draft()
    world.journal_file.rename(tmp_path / "moved.sqlite")
    world.take([plant.birth()])
    with pytest.raises(EvidenceUnavailableError, match="does not give"):
        finished_bundle(_reader(world), world.journal, digest, world.folder / "bundles")
    assert list((world.folder / "bundles").iterdir()) == []


def test_a_draft_is_submitted_once(world):
    digest = world.draft()
    with world.store() as store:
        submit_statement(digest, "test-operator", store, world.clock)
        assert store.row(digest).state is State.SUBMITTED
        with pytest.raises(IllegalTransitionError, match="is submitted"):
            submit_statement(digest, "test-operator", store, world.clock)


def _held_record(plant, signer):
    """A record that a newer agent signed in a newer schema."""
    text = json.loads(record.split(plant.readings({START_MS + 300 * HOUR_MS: 1})).text)
    text |= {"type": "sakugen.record/2"}
    return note.sign(json.dumps(text).encode() + b"\n", signer)


def test_held_evidence_is_named_blocks_crediting_and_cannot_be_submitted(empty_world, plant, signers):
    plant.birth()
    plant.days(START_MS, 96)
    held = _held_record(plant, signers.gateway)
    empty_world.take([*plant.records[:-1], held])
    digest = empty_world.draft()
    document = json.loads(_reader(empty_world).statement(digest))
    (named,) = document["evidence"]["held"]
    assert named["digest"] == record.digest_of(held)
    assert named["reason"] == "newer-schema"
    assert document["creditable"] is False
    assert "held-evidence" in {reason["code"] for reason in document["blocked_by"]}
    assert check_bundle(empty_world.export(digest), signers.ring).ok
    with empty_world.store() as store, pytest.raises(DraftError, match="has held evidence"):
        submit_statement(digest, "test-operator", store, empty_world.clock)

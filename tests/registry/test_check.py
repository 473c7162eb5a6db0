"""The check starts from record bytes, believes nothing, and names what differs."""

import json
from datetime import UTC, datetime

import pytest

from metering import note, record
from metering.keys import KeyRing, Role, new_signer
from registry.bundle import read_bundle, write_bundle
from registry.canonical import digest_of
from registry.check import STEPS, check_bundle
from registry.evidence import Link, chained_runs, evidence_root, run_list
from registry.report import Status

START_MS = 1_767_024_000_000  # 2025-12-30T00:00:00+08:00, when the plant's records begin
SIGNATURES = {"operator signature", "gateway signatures"}


def _without(ring, name):
    return KeyRing(entry for entry in ring.entries if entry.id != name)


def _relist(forgery):
    """Let the statement list the records that are there now, and let the operator sign that."""
    runs = run_list(chained_runs(Link.of(data) for data in forgery.records))
    document = forgery.statement()
    document["evidence"] |= {"runs": runs, "root": evidence_root(runs)}
    forgery.state(document)


def test_an_honest_bundle_passes_every_step_and_says_what_it_holds(honest, signers, failed_steps):
    report = check_bundle(honest, signers.ring)
    assert failed_steps(report) == {}
    assert [step.name for step in report.steps] == [name for name, _ in STEPS]
    assert report.claim is not None
    assert report.claim.whole_tonnes == ((2025, 7), (2026, 7))
    assert report.claim.creditable
    assert report.as_dict()["ok"] is True
    assert list(report.lines())[-1] == "bundle.zip: the statement holds"


def test_the_missing_log_is_said_and_not_held_against_the_statement(honest, signers):
    (step,) = [step for step in check_bundle(honest, signers.ring).steps if step.name == "transparency log"]
    assert step.status is Status.NOT_BUILT
    assert "not built yet: the log position is null" in step.detail


def test_a_bundle_that_was_rewritten_is_the_same_bundle(honest, forgery, signers):
    assert forgery.check(signers.ring).ok
    assert forgery.path.read_bytes() == honest.read_bytes()


def test_an_honest_bundle_of_a_gateway_that_no_longer_holds_some_records_passes(
    empty_world, records, signers, failed_steps
):
    birth, last_lost = record.parse(records[0]), records[3]
    horizon = record.Horizon(
        site=birth.site, gateway=birth.gateway, stream=birth.stream, seq=0, prev=None, clock=birth.clock,
        mono_ms=99, oldest_seq=5, digest_before=digest_of(last_lost),
    )  # fmt: skip
    empty_world.take([*records[:2], record.build(horizon, signers.gateway), *records[4:]])
    report = check_bundle(empty_world.export(empty_world.draft()), signers.ring)
    assert failed_steps(report) == {}
    assert report.steps[7].detail == "17 records of 1 streams"


# --- archive and manifest ------------------------------------------------------------------------------------------


def test_what_cannot_be_read_fails_and_everything_behind_it_could_not_be_checked(tmp_path, signers, failed_steps):
    report = check_bundle(tmp_path / "nothing.zip", signers.ring)
    failed = failed_steps(report)
    assert "cannot be read as a zip" in failed.pop("archive")
    assert len(failed) == len(STEPS) - 1
    assert {step.status for step in report.steps[1:]} == {Status.COULD_NOT_CHECK}
    assert report.claim is None


@pytest.mark.parametrize("name", ["statement.json", "project.toml", "keys.toml", "signatures/operator.jws"])
def test_a_part_that_is_missing_is_named(forgery, signers, name):
    del forgery.files[name]
    assert f"{name} is missing" in forgery.failed(signers.ring)["archive"]


def test_one_byte_of_one_record_in_the_file_is_found_and_named(honest, tmp_path, signers, failed_steps):
    """As somebody would do it who has nothing but a hex editor."""
    data = bytearray(honest.read_bytes())
    at = data.index(b'"values":[[', data.index(b'"seq":3,')) + len(b'"values":[[') + 1
    data[at] = data[at] ^ 1
    path = tmp_path / "flipped.zip"
    path.write_bytes(data)
    failed = failed_steps(check_bundle(path, signers.ring))
    assert "evidence/01KDMZNGG028T5CY4TQKFF04HM.records: manifest.json says" in failed["manifest"]
    assert "record 4 (readings) names" in failed["evidence chains"]
    assert "record 3 (readings) has digest" in failed["evidence chains"]
    assert "slot" in failed["decoding"]
    assert "its raw words say" in failed["decoding"]


def test_every_byte_of_the_evidence_is_covered(honest, tmp_path, signers, failed_steps):
    """One byte in each hundred of the evidence, each flipped alone, with the manifest made to fit."""
    files = read_bundle(honest)
    del files["manifest.json"]
    (name,) = (name for name in files if name.startswith("evidence/"))
    whole, path = files[name], tmp_path / "flipped.zip"
    for at in range(0, len(whole), 499):
        files[name] = whole[:at] + bytes([whole[at] ^ 0x04]) + whole[at + 1 :]
        write_bundle(path, files)
        failed = failed_steps(check_bundle(path, signers.ring))
        assert {"evidence records", "evidence chains"} & failed.keys(), at


# --- the statement -------------------------------------------------------------------------------------------------


def test_any_byte_of_the_statement_breaks_its_signature(forgery, signers):
    whole = forgery.files["statement.json"]
    for at in range(0, len(whole), 97):
        forgery.files["statement.json"] = whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :]
        assert "operator signature" in forgery.failed(signers.ring), at


def test_a_statement_that_is_not_canonical_fails_even_when_signed(forgery, signers):
    forgery.files["statement.json"] = json.dumps(forgery.statement()).encode()
    forgery.sign(signers.operator)
    failed = forgery.failed(signers.ring)
    assert set(failed) == {"statement"}
    assert "not in RFC 8785 canonical form" in failed["statement"]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a":1.5}', b"\xff", b'{"a":"\\ud800"}', b'{"a":9007199254740992}'])
def test_a_statement_that_is_no_statement_leaves_nothing_to_check(forgery, signers, data):
    forgery.files["statement.json"] = data
    failed = forgery.failed(signers.ring)
    assert failed["computing"] == "the statement could not be read"
    assert "statement.json" in failed["statement"]


@pytest.mark.parametrize(
    "lies",
    [
        {"vintages": [7, {"year": "2025", "whole_tonnes": 7}, {"year": 2026, "whole_tonnes": "7"}, {}]},
        {"vintages": 7, "blocked_by": 7},
        {"blocked_by": [7, None]},
    ],
)
def test_a_statement_of_another_shape_claims_nothing_that_can_be_repeated(forgery, signers, lies):
    forgery.state(forgery.statement() | lies)
    report = forgery.check(signers.ring)
    assert not report.ok
    assert report.claim.whole_tonnes == (() if "vintages" in lies else ((2025, 7), (2026, 7)))
    assert report.claim.blocked_by == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("period", "id"), {}),
        (("period", "id"), None),
        (("engine", "ruleset"), {}),
        (("engine", "ruleset"), "x"),
        (("evidence", "held"), None),
    ],
)
def test_what_computing_anew_starts_from_must_be_there(forgery, signers, path, value):
    document = forgery.statement()
    document[path[0]][path[1]] = value
    forgery.state(document)
    (step,) = [step for step in forgery.check(signers.ring).steps if step.name == "computing"]
    assert step.status is Status.COULD_NOT_CHECK


def _leaves(value, path=()):
    if isinstance(value, dict | list) and value:
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(member, (*path, key))
    else:
        yield path, value


def _changed(value):
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            # One digit up, so that a number stays a number.
            return value[:-1] + ("1" if value[-1:] == "0" else "0")
        case None:
            return "x"
        case _:
            return {"x": 1}


def test_every_field_of_the_statement_is_recomputed_and_the_one_that_differs_is_named(forgery, signers):
    """The operator signs each lie: only computing anew can find it."""
    honest = forgery.files["statement.json"]
    leaves = list(_leaves(json.loads(honest)))
    assert len(leaves) > 100
    for path, value in leaves:
        document = json.loads(honest)
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = _changed(value)
        forgery.state(document)
        failed = forgery.failed(signers.ring)
        pointer = "/" + "/".join(str(key).replace("/", "~1") for key in path)
        assert not SIGNATURES & failed.keys()
        if path in {("period", "id"), ("engine", "version"), ("engine", "ruleset")}:
            assert str(_changed(value)) in failed["computing"], pointer
        elif path == ("supersedes",):
            assert pointer in failed["statement"]
        elif path == ("evidence", "held"):
            assert pointer in failed["computing"]
        else:
            assert f"{pointer}: stated" in failed["computing"], (pointer, failed)


def test_another_engine_s_statement_could_not_be_checked_and_both_are_named(forgery, signers):
    document = forgery.statement()
    document["engine"]["version"] = "sakugen-compute/99"
    forgery.state(document)
    (step,) = (step for step in forgery.check(signers.ring).steps if step.name == "computing")
    assert step.status is Status.COULD_NOT_CHECK
    assert "'sakugen-compute/99', this installation has 'sakugen-compute/1'" in step.detail


@pytest.mark.parametrize("key", ["log_position", "supersedes", "creditable", "vintages", "evidence", "project"])
def test_a_field_left_out_is_missed(forgery, signers, key):
    document = forgery.statement()
    del document[key]
    forgery.state(document)
    assert not forgery.check(signers.ring).ok


def test_a_field_added_is_seen(forgery, signers):
    forgery.state(forgery.statement() | {"bonus_tonnes": 1})
    assert "/bonus_tonnes: stated 1, found absent" in forgery.failed(signers.ring)["computing"]


def test_the_whole_tonnes_cannot_be_raised(forgery, signers):
    document = forgery.statement()
    document["vintages"][0]["whole_tonnes"] = 8
    forgery.state(document)
    assert forgery.failed(signers.ring) == {
        "computing": "computed anew by engine sakugen-compute/1 under sakugen-rules/2, every field compared"
        " | /vintages/0/whole_tonnes: stated 8, found 7"
    }


def test_a_statement_that_replaces_another_names_it(forgery, signers):
    forgery.state(forgery.statement() | {"supersedes": "a" * 64})
    assert forgery.check(signers.ring).ok
    forgery.state(forgery.statement() | {"supersedes": "the old one"})
    assert "/supersedes: stated 'the old one'" in forgery.failed(signers.ring)["statement"]


@pytest.mark.parametrize("supersedes", [5, "", "0" * 63, {}])
def test_what_a_statement_replaces_is_named_by_a_digest(forgery, signers, supersedes):
    forgery.state(forgery.statement() | {"supersedes": supersedes})
    assert "/supersedes: stated" in forgery.failed(signers.ring)["statement"]


def test_another_type_of_statement_is_not_passed_as_this_one(forgery, signers):
    forgery.state(forgery.statement() | {"type": "sakugen.statement/2"})
    assert "/type: stated 'sakugen.statement/2'" in forgery.failed(signers.ring)["statement"]


@pytest.mark.parametrize("position", [0, {"index": 1}, "x"])
def test_a_place_in_a_log_that_does_not_exist_is_a_lie(forgery, signers, position):
    forgery.state(forgery.statement() | {"log_position": position})
    assert "/log_position: must be null" in forgery.failed(signers.ring)["transparency log"]


def test_a_log_position_left_out_is_not_null(forgery, signers):
    document = forgery.statement()
    del document["log_position"]
    forgery.state(document)
    assert "/log_position" in forgery.failed(signers.ring)["transparency log"]


def test_declared_values_that_nobody_knows_are_refused(forgery, signers):
    forgery.files["declared/0001-value-extra.toml"] = b""
    assert "0001-value-extra.toml is in the bundle and not listed" in forgery.failed(signers.ring)["declared values"]
    del forgery.files["declared/0001-value-extra.toml"]
    forgery.state(forgery.statement() | {"declared_values": [{"file": "0001-value-extra.toml", "sha256": "a" * 64}]})
    assert "0001-value-extra.toml is listed by the statement" in forgery.failed(signers.ring)["declared values"]


# --- keys ----------------------------------------------------------------------------------------------------------


def test_without_trusted_keys_nothing_is_proved_though_the_bundle_carries_keys(honest, failed_steps):
    failed = failed_steps(check_bundle(honest, None))
    assert set(failed) == SIGNATURES
    assert all("no trusted keys were given" in text for text in failed.values())


def test_the_keys_of_the_bundle_are_never_believed(forgery, signers, failed_steps):
    impostor = new_signer(signers.operator.name)
    ring = KeyRing([*_without(signers.ring, impostor.name).entries])
    forgery.files["keys.toml"] = forgery.files["keys.toml"].replace(
        str(signers.operator.verifier).encode(), str(impostor.verifier).encode()
    )
    forgery.sign(impostor)
    failed = forgery.failed(signers.ring)
    assert set(failed) == {"operator signature"}
    assert "not among the keys given as trusted" in failed["operator signature"]
    assert "operator signature" in failed_steps(forgery.check(ring))


def test_a_gateway_that_the_caller_does_not_trust_is_named(honest, signers, failed_steps):
    failed = failed_steps(check_bundle(honest, _without(signers.ring, signers.gateway.name)))
    assert set(failed) == {"gateway signatures"}
    assert "gateway key mongolia-farm/gw-solar+" in failed["gateway signatures"]


def test_an_operator_s_key_cannot_stand_in_for_a_gateway_s(honest, signers, failed_steps):
    wrong = KeyRing(entry.model_copy(update={"role": Role.OPERATOR}) for entry in signers.ring.entries)
    assert set(failed_steps(check_bundle(honest, wrong))) == {"gateway signatures"}


def test_a_gateway_key_revoked_before_the_last_record_does_not_count_for_it(honest, signers, failed_steps):
    revoked = datetime(2026, 1, 1, tzinfo=UTC)
    entries = [
        entry.model_copy(update={"revoked_at": revoked}) if entry.role is Role.GATEWAY else entry
        for entry in signers.ring.entries
    ]
    failed = failed_steps(check_bundle(honest, KeyRing(entries)))
    assert set(failed) == {"gateway signatures"}
    assert "record 18 (readings): gateway key" in failed["gateway signatures"]
    assert "revoked at 2026-01-01" in failed["gateway signatures"]
    assert "record 1 (birth)" not in failed["gateway signatures"]


def _resigned(data, signer):
    return note.sign(record.split(data).text, signer)


@pytest.mark.parametrize("at", [0, 9, 17])
def test_births_and_the_last_record_must_be_signed_by_the_gateway_itself(forgery, signers, at):
    """Re-signing changes the digest, so the records behind are written anew, as a thief of the journal would do."""
    thief, records, prev = new_signer(signers.gateway.name), forgery.records, None
    for n, data in enumerate(records):
        if n < at:
            prev = digest_of(data)
            continue
        body = record.parse(data).model_copy(update={"prev": prev})
        records[n] = record.build(body, thief if n == at else signers.gateway)
        prev = digest_of(records[n])
    forgery.records = records
    _relist(forgery)
    assert f"record {at + 1} (" in forgery.failed(signers.ring)["gateway signatures"]


def test_a_record_signed_under_another_gateway_s_name_is_not_signed(forgery, signers):
    other = new_signer("mongolia-farm/gw-other")
    forgery.records = [*forgery.records[:-1], _resigned(forgery.records[-1], other)]
    failed = forgery.failed(signers.ring)
    assert "record 18 (readings) is not signed by mongolia-farm/gw-solar" in failed["gateway signatures"]


# --- evidence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", [1, 2, 9, 10, 18])
def test_a_record_left_out_is_named(forgery, signers, seq):
    records = forgery.records
    del records[seq - 1]
    forgery.records = records
    failed = forgery.failed(signers.ring)
    assert f"stream 01KDMZNGG028T5CY4TQKFF04HM record {seq} is missing" in failed["evidence chains"]
    assert "/evidence/root: stated" in failed["evidence chains"]


def test_a_record_too_many_is_named_though_the_gateway_signed_it(forgery, signers):
    last = record.parse(forgery.records[-1])
    body = last.model_copy(update={"seq": 19, "prev": digest_of(forgery.records[-1])})
    forgery.records = [*forgery.records, record.build(body, signers.gateway)]
    failed = forgery.failed(signers.ring)
    assert "stream 01KDMZNGG028T5CY4TQKFF04HM record 19 is extra" in failed["evidence chains"]


def test_a_stream_left_out_is_named(forgery, signers):
    del forgery.files[forgery.evidence_name]
    failed = forgery.failed(signers.ring)
    assert failed["evidence chains"] == "no record of the evidence could be read"
    assert failed["gateway signatures"] == "no record of the evidence could be read"
    assert failed["decoding"] == "no record of the evidence could be read"


def test_a_stream_too_many_is_named(forgery, signers):
    stream = "01KDMZNGG028T5CY4TQKFF04HN"
    birth = record.parse(forgery.records[0]).model_copy(update={"stream": stream})
    extra = record.build(birth, signers.gateway)
    forgery.files[f"evidence/{stream}.records"] = len(extra).to_bytes(4) + extra
    assert f"stream {stream} is extra" in forgery.failed(signers.ring)["evidence chains"]


def test_a_record_that_is_there_twice_is_named(forgery, signers):
    forgery.records = [*forgery.records, forgery.records[3]]
    failed = forgery.failed(signers.ring)
    assert "record 4 (readings) is there twice" in failed["evidence records"]


def test_the_order_of_records_in_their_file_is_nobody_s_claim(forgery, signers):
    forgery.records = forgery.records[::-1]
    assert forgery.check(signers.ring).ok


def test_a_record_in_another_stream_s_file_is_named(forgery, signers):
    name = "evidence/01KDMZNGG028T5CY4TQKFF04HN.records"
    forgery.files[name] = forgery.files.pop(forgery.evidence_name)
    assert f"record 1 (birth) lies in {name}" in forgery.failed(signers.ring)["evidence records"]


def test_bytes_that_are_no_record_are_named(forgery, signers):
    forgery.records = [*forgery.records, b"nonsense"]
    assert "record no. 19" in forgery.failed(signers.ring)["evidence records"]


def test_a_file_of_records_that_is_cut_short_is_named(forgery, signers):
    forgery.files[forgery.evidence_name] = forgery.files[forgery.evidence_name][:-1]
    failed = forgery.failed(signers.ring)
    assert "evidence/01KDMZNGG028T5CY4TQKFF04HM.records: a record of" in failed["evidence records"]


@pytest.mark.parametrize(("key", "other"), [("site", "other-site"), ("id", "other-project")])
def test_evidence_of_another_place_or_project_is_named(forgery, signers, key, other):
    document = forgery.statement()
    document["project"][key] = other
    forgery.state(document)
    failed = forgery.failed(signers.ring)
    assert f"the statement of '{other}'" in failed["evidence records"]


def test_a_chain_broken_in_the_middle_is_found_though_the_operator_lists_it_so(forgery, signers):
    records = forgery.records
    records[2] = records[2].replace(b'"mono_ms":3', b'"mono_ms":4')
    forgery.records = records
    _relist(forgery)
    failed = forgery.failed(signers.ring)
    assert "record 4 (readings) names" in failed["evidence chains"]
    assert "record 3 (readings): the signature" in failed["gateway signatures"]


def test_a_list_of_runs_that_is_no_list_is_told(forgery, signers):
    document = forgery.statement()
    document["evidence"]["runs"] = [{"stream": 1}]
    forgery.state(document)
    assert "/evidence/runs: not a list of runs" in forgery.failed(signers.ring)["evidence chains"]

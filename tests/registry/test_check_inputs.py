"""What a statement was computed from: each part that decides a number is checked, and what differs is named."""

import pytest

from registry.canonical import canonical_bytes
from registry.check import check_bundle

START_MS = 1_767_024_000_000  # 2025-12-30T00:00:00+08:00, when the plant's records begin


# --- device maps and decoding --------------------------------------------------------------------------------------


def _map_name(forgery):
    (name,) = (name for name in forgery.files if name.startswith("maps/"))
    return name


def test_a_device_map_swapped_for_another_is_named(forgery, signers):
    name = _map_name(forgery)
    forgery.files[name] = forgery.files[name].replace(b'type = "u64"', b'type = "s64"')
    assert set(forgery.failed(signers.ring)) == {"device maps"}
    assert f"{name}: the bytes are" in forgery.failed(signers.ring)["device maps"]


def test_a_device_map_left_out_or_added_is_named(forgery, signers):
    name = _map_name(forgery)
    forgery.files[f"maps/{'0' * 64}.toml"] = forgery.files.pop(name)
    failed = forgery.failed(signers.ring)["device maps"]
    assert f"{name} is not in the bundle" in failed
    assert f"maps/{'0' * 64}.toml is carried by no birth" in failed


def test_a_list_of_device_maps_that_differs_is_named(forgery, signers):
    document = forgery.statement()
    document["evidence"]["device_maps"] = []
    forgery.state(document)
    assert "/evidence/device_maps: stated []" in forgery.failed(signers.ring)["device maps"]


def test_a_gateway_that_signs_values_its_words_do_not_say_is_found(empty_world, plant, signers, failed_steps):
    """Everything else is in order: the gateway signed it, ingest took it, the operator stated it."""
    plant.birth()
    plant.days(START_MS, 95)
    plant.readings({START_MS + 95 * 3_600_000: 60_000_000}, values=((60_000_000_001,),))
    empty_world.take(plant.records)
    failed = failed_steps(check_bundle(empty_world.export(empty_world.draft()), signers.ring))
    assert set(failed) == {"decoding"}
    assert "says 60000000001, its raw words say 60000000000" in failed["decoding"]


# --- project file and methodology ----------------------------------------------------------------------------------


def test_one_digit_of_a_parameter_is_named_with_both_values(forgery, signers):
    text = forgery.files["project.toml"]
    forgery.files["project.toml"] = text.replace(b'value = "0.797"', b'value = "0.798"')
    failed = forgery.failed(signers.ring)
    assert set(failed) == {"project file", "computing"}
    assert "/project/settings_sha256: stated" in failed["project file"]
    assert '/fixed_parameters/0/value: stated "0.797", found "0.798"' in failed["computing"]


def test_a_comment_of_the_project_file_is_part_of_its_bytes(forgery, signers):
    forgery.files["project.toml"] = forgery.files["project.toml"].replace(b"# A comment", b"# Another comment")
    failed = forgery.failed(signers.ring)
    assert set(failed) == {"project file", "computing"}
    assert "project.toml in the bundle is" in failed["project file"]


@pytest.mark.parametrize("text", [b"id = ", b"\xff", b'id = "x"\n'])
def test_a_project_file_that_cannot_be_read_is_told(forgery, signers, text):
    forgery.files["project.toml"] = text
    failed = forgery.failed(signers.ring)
    assert "| project.toml: " in failed["project file"]
    assert failed["methodology"] == "project.toml could not be read"
    assert failed["computing"] == "project.toml could not be read"


def test_a_period_that_the_project_file_lacks_cannot_be_computed(forgery, signers):
    document = forgery.statement()
    document["period"]["id"] = "another"
    forgery.state(document)
    assert "has no monitoring period 'another'" in forgery.failed(signers.ring)["computing"]


def test_another_methodology_than_the_one_computed_with_is_named(forgery, signers):
    name = "methodology/solar_pv.toml"
    forgery.files[name] += b"# one more line\n"
    assert f"{name}: the bundle has" in forgery.failed(signers.ring)["methodology"]


def test_a_methodology_file_left_out_or_added_is_named(forgery, signers):
    forgery.files["methodology/other.toml"] = forgery.files.pop("methodology/solar_pv.toml")
    failed = forgery.failed(signers.ring)["methodology"]
    assert "methodology/solar_pv.toml is not in the bundle" in failed
    assert "methodology/other.toml is no part of the methodology" in failed


def test_held_evidence_that_names_no_record_cannot_be_computed_with(forgery, signers):
    document = forgery.statement()
    document["evidence"]["held"] = [{"stream": "x"}]
    forgery.state(document)
    assert "/evidence/held" in forgery.failed(signers.ring)["computing"]


def test_the_report_shows_every_fault_to_scripts_and_the_first_ones_to_people(forgery, signers):
    forgery.files["statement.json"] = canonical_bytes({"type": "sakugen.statement/1"})
    report = forgery.check(signers.ring)
    assert not report.ok
    assert report.as_dict()["ok"] is False
    assert any(fault.startswith("project file: /project/settings_sha256") for fault in report.faults)
    lines = list(report.lines())
    assert lines[-1] == "forged.zip: CHECK FAILED"
    assert any(line.startswith("could-not-check") for line in lines)

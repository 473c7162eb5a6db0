"""Declared values on their way: signed in a folder, in the statement, in the bundle, checked by keys of the caller."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from metering import note
from metering.config import ConfigError
from metering.keys import KeyRing, Role, new_signer
from registry.bundle import read_bundle
from registry.check import check_bundle
from registry.declared import sign_declared
from registry.errors import BundleError, DeclaredValueError
from registry.store import StatementReader

METER = 'meter = { make = "Example", model = "Revenue 1", serial = "R1-0001" }'
HEAD = """\
schema = "sakugen.declared/1"
kind = "{kind}"
project = "test-solar"
id = "{kind}-{number}"
who = "A. Person"
when = {when}
option = "C"
"""
SOURCE = '\n[source]\ntitle = "log book"\ndate = 2026-01-02\n'
BODIES = {
    "value": """\
what = "count"
parameter = "opening days"
from = 2025-12-31
to = 2026-01-02
value = "2"
unit = "d"
""",
    "register-reading": f"""\
point = "ac-bus"
{METER}
measurand = "energy_export_total_wh"
at = 2025-12-31T10:30:00+08:00
value = "22600000"
unit = "Wh"
resolution = "100000"
""",
    "meter-exchange": """\
point = "ac-bus"
removed = { make = "Example", model = "Revenue 1", serial = "R1-0001" }
removed_at = 2026-01-03T12:00:00+08:00
installed = { make = "Example", model = "Revenue 1", serial = "R1-0002", accuracy_class = "0.5S" }
installed_at = 2026-01-03T13:00:00+08:00
""",
    "ct-change": """\
point = "ac-bus"
from = 2025-12-30T00:00:00+08:00
ratio_in_meter = "100"
ratio_in_place = "200"
""",
    "remap": """\
point = "ac-bus"
map = "{map}"
from = 2025-12-30T00:00:00+08:00
reason = "the total counts in steps of 2 Wh"
replacement = '''
{replacement}'''
""",
    "calibration": f"""\
point = "ac-bus"
{METER}
certificate = "C-2"
date = 2025-06-01
valid_until = 2028-06-01
mpe_percent = "0.5"
""",
    "integrity-check": f'point = "ac-bus"\n{METER}\nat = 2026-01-01T12:00:00+08:00\npassed = true\n',
}
WHEN = "2026-01-04T09:00:00+08:00"


@pytest.fixture(scope="module")
def map_text(records):
    """The device map that the births of the plant carry."""
    from metering import record

    (text,) = record.parse(records[0]).device_maps.values()
    return text


@pytest.fixture(scope="module")
def text_of(map_text):
    def build(kind, number=1, when=WHEN):
        body = BODIES[kind]
        if kind == "remap":
            replacement = map_text.replace('type = "u64"', 'type = "u64"\nscale = "2"')
            body = body.format(map=hashlib.sha256(map_text.encode()).hexdigest(), replacement=replacement)
        return (HEAD.format(kind=kind, number=number, when=when) + body + SOURCE).encode()

    return build


@pytest.fixture(scope="module")
def declare(text_of):
    """`declare(world, "value", number=2)`: puts a declared value and its signature beside the project file."""

    def build(world, kind, number=1, *, signer=None, data=None, **changes):
        folder = world.folder / "declared"
        folder.mkdir(exist_ok=True)
        data = text_of(kind, number, **changes) if data is None else data
        path = folder / f"{number:04}-{kind}-test.toml"
        path.write_bytes(data)
        path.with_name(path.name + ".sig").write_bytes(sign_declared(data, signer or world.keys.operator))
        return path

    return build


def statement_of(world, digest):
    return json.loads(StatementReader(world.settings.store_file).statement(digest))


@pytest.mark.parametrize("kind", BODIES)
def test_each_kind_goes_from_its_folder_through_statement_and_bundle_to_the_check(world, declare, signers, kind):
    path = declare(world, kind)
    digest = world.draft()
    (listed,) = statement_of(world, digest)["declared_values"]
    data = path.read_bytes()
    assert listed == {
        "file": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "kind": kind,
        "id": f"{kind}-1",
        "point": None if kind == "value" else "ac-bus",
        "replaces": None,
        "signer": f"test-operator+{signers.operator.verifier.key_hash.hex()}",
    }
    bundle = world.export(digest)
    files = read_bundle(bundle)
    assert files[f"declared/{path.name}"] == data
    note.verify(note.split(data + b"\n" + files[f"declared/{path.name}.sig"]), signers.operator.verifier)
    assert check_bundle(bundle, signers.ring).ok


@pytest.mark.parametrize(("kind", "tonnes"), [("ct-change", [15, 15]), ("remap", [15, 15]), ("value", [7, 7])])
def test_a_declared_value_decides_the_number_that_the_check_computes_anew(world, declare, signers, kind, tonnes):
    declare(world, kind)
    report = check_bundle(world.export(world.draft()), signers.ring)
    assert report.ok
    assert [whole for _, whole in report.claim.whole_tonnes] == tonnes


def test_a_bundle_with_declared_values_is_the_same_after_its_folder_changed(world, declare):
    declare(world, "value")
    digest = world.draft()
    before = world.export(digest).read_bytes()
    declare(world, "integrity-check", 2)
    assert world.export(digest).read_bytes() == before
    assert world.draft() != digest


def test_a_statement_lists_corrections_and_what_they_correct(world, declare, text_of, signers):
    first = declare(world, "value")
    replaced = hashlib.sha256(first.read_bytes()).hexdigest()
    correction = text_of("value", 2).replace(b'option = "C"\n', f'option = "C"\nreplaces = "{replaced}"\n'.encode())
    declare(world, "value", 2, data=correction)
    digest = world.draft()
    assert [row["replaces"] for row in statement_of(world, digest)["declared_values"]] == [None, replaced]
    assert check_bundle(world.export(digest), signers.ring).ok


def test_another_project_s_values_in_the_same_folder_are_left_out(world, declare, text_of, signers):
    """Point and meter have the same names there, and the same operator signed."""
    declare(world, "ct-change", data=text_of("ct-change").replace(b"test-solar", b"other-solar"))
    digest = world.draft()
    assert statement_of(world, digest)["declared_values"] == []
    assert not any(name.startswith("declared/") for name in read_bundle(world.export(digest)))


# --- what a draft refuses ------------------------------------------------------------------------------------------


def test_a_declared_value_without_signature_and_a_signature_without_value_are_named(world, declare):
    first, second = declare(world, "value"), declare(world, "calibration", 2)
    first.with_name(first.name + ".sig").unlink()
    second.unlink()
    with pytest.raises(DeclaredValueError, match=r"0001-value-test\.toml is not signed: .*0002-.*\.sig signs nothing"):
        world.draft()


@pytest.mark.parametrize("name", ["somebody", "test-operator", "mongolia-farm/gw-solar"])
def test_only_an_operator_of_the_key_file_declares(world, declare, signers, name):
    stranger = signers.gateway if name == signers.gateway.name else new_signer(name)
    declare(world, "value", signer=stranger)
    with pytest.raises(DeclaredValueError, match=r"0001-value-test\.toml: operator key .* is not among the keys"):
        world.draft()


def test_a_key_counts_when_it_was_declared_and_not_later(world, declare, signers):
    entries = [
        entry.model_copy(update={"revoked_at": datetime(2026, 1, 3, tzinfo=UTC)})
        if entry.role is Role.OPERATOR
        else entry
        for entry in signers.ring.entries
    ]
    world.keys_file.write_text(KeyRing(entries).to_toml())
    declare(world, "value", when="2026-01-02T09:00:00+08:00")
    world.draft()
    declare(world, "integrity-check", 2)
    with pytest.raises(
        DeclaredValueError, match=r"0002-integrity-check-test\.toml: operator key .*revoked at 2026-01-03"
    ):
        world.draft()


def test_nothing_is_declared_in_time_to_come(world, declare):
    declare(world, "value", when="2026-01-05T08:00:01+08:00")  # the draft is drawn up a second earlier
    with pytest.raises(DeclaredValueError, match="which is yet to come"):
        world.draft()
    declare(world, "value", when="2026-01-05T08:00:00+08:00")
    world.draft()


def test_a_value_that_does_not_fit_the_project_is_named_with_its_line(world, declare, text_of):
    declare(world, "calibration", data=text_of("calibration").replace(b"R1-0001", b"R1-9999"))
    with pytest.raises(ConfigError, match=r"0001-calibration-test\.toml:9: meter: no such meter"):
        world.draft()


@pytest.mark.parametrize("extra", [b"x\n", b"\n\n", b""])
def test_a_signature_file_is_one_line(world, declare, extra):
    path = declare(world, "value")
    line = path.with_name(path.name + ".sig")
    line.write_bytes(line.read_bytes() + extra if extra else b"")
    with pytest.raises(DeclaredValueError, match=r"0001-value-test\.toml\.sig: "):
        world.draft()


def test_two_signature_lines_are_one_too_many(world, declare, signers):
    path = declare(world, "value")
    other = sign_declared(path.read_bytes(), new_signer("other"))
    line = path.with_name(path.name + ".sig")
    line.write_bytes(line.read_bytes() + other)
    with pytest.raises(DeclaredValueError, match="exactly one signature line"):
        world.draft()


def test_the_signature_of_a_longer_text_signs_no_part_of_it(world, declare, text_of, signers):
    path = declare(world, "value")
    longer = note.sign(path.read_bytes() + b"\nbut not before May\n", signers.operator)
    path.with_name(path.name + ".sig").write_bytes(longer.removeprefix(path.read_bytes() + b"\n"))
    with pytest.raises(DeclaredValueError, match="exactly one signature line"):
        world.draft()


# --- what the check finds ------------------------------------------------------------------------------------------

NAME = "declared/0001-value-test.toml"


@pytest.fixture
def tampered(world, declare, forgery):
    """A bundle with two declared values, to tamper with."""
    declare(world, "value")
    declare(world, "integrity-check", 2)
    files = read_bundle(world.export(world.draft()))
    del files["manifest.json"]
    forgery.files = files
    return forgery


def test_any_byte_of_a_declared_value_is_covered_and_the_file_is_named(tampered, signers):
    whole = tampered.files[NAME]
    for at in range(0, len(whole), 7):
        tampered.files[NAME] = whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :]
        assert "0001-value-test.toml" in tampered.failed(signers.ring)["declared values"], at


def test_any_byte_of_a_signature_is_covered_and_the_file_is_named(tampered, signers):
    whole = tampered.files[NAME + ".sig"]
    for at in range(0, len(whole), 7):
        tampered.files[NAME + ".sig"] = whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :]
        assert "0001-value-test.toml" in tampered.failed(signers.ring)["declared values"], at


def test_a_byte_changed_and_stated_as_it_is_now_still_lacks_its_signature(tampered, signers):
    """The operator's statement lists the changed bytes; only the signature of the value itself tells."""
    data = tampered.files[NAME].replace(b'value = "2"', b'value = "9"')
    tampered.files[NAME] = data
    document = tampered.statement()
    document["declared_values"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    tampered.state(document)
    failed = tampered.failed(signers.ring)
    assert "0001-value-test.toml: the signature of 'test-operator' does not fit" in failed["declared values"]


def test_another_value_in_its_place_is_named_though_the_operator_signed_it(tampered, signers):
    data = tampered.files[NAME].replace(b'value = "2"', b'value = "9"')
    tampered.files |= {NAME: data, NAME + ".sig": sign_declared(data, signers.operator)}
    failed = tampered.failed(signers.ring)
    found = hashlib.sha256(data).hexdigest()
    assert f"the bytes are {found}" in failed["declared values"]
    assert failed["declared values"].count("0001-value-test.toml") == 1


@pytest.mark.parametrize(
    "name", ["0001-value-a.toml.sig.sig", "0001-value-a.toml.exe", "0001-value-a.sig", "../a.toml"]
)
def test_nothing_else_has_a_place_among_declared_values(tampered, name):
    tampered.files[f"declared/{name}"] = b""
    with pytest.raises(BundleError, match="no place in a bundle"):
        tampered.check(None)


def test_a_value_listed_twice_is_told(tampered, signers):
    document = tampered.statement()
    document["declared_values"].append(document["declared_values"][0])
    tampered.state(document)
    assert "/declared_values: stated and found differ" in tampered.failed(signers.ring)["declared values"]


def test_a_declared_value_left_out_is_named(tampered, signers):
    del tampered.files[NAME], tampered.files[NAME + ".sig"]
    failed = tampered.failed(signers.ring)
    assert "0001-value-test.toml is listed by the statement and not in the bundle" in failed["declared values"]
    assert "/declared_values" in failed["computing"]


def test_a_declared_value_added_is_named_though_the_operator_signed_it(tampered, text_of, signers):
    data = text_of("calibration", 3)
    tampered.files["declared/0003-calibration-more.toml"] = data
    tampered.files["declared/0003-calibration-more.toml.sig"] = sign_declared(data, signers.operator)
    failed = tampered.failed(signers.ring)
    assert "0003-calibration-more.toml is in the bundle and not listed" in failed["declared values"]


def test_another_project_s_value_proves_nothing_though_the_operator_lists_it(tampered, text_of, signers):
    data = text_of("value").replace(b"test-solar", b"other-solar")
    tampered.files |= {NAME: data, NAME + ".sig": sign_declared(data, signers.operator)}
    document = tampered.statement()
    document["declared_values"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    tampered.state(document)
    assert "it is of another project" in tampered.failed(signers.ring)["computing"]


@pytest.mark.parametrize("lost", [NAME, NAME + ".sig"])
def test_a_value_without_its_signature_and_a_signature_without_its_value_fail_the_check(tampered, signers, lost):
    del tampered.files[lost]
    failed = tampered.failed(signers.ring)
    assert "0001-value-test.toml" in failed["declared values"]
    assert failed["computing"] == "the declared values could not be read"


def test_a_wrong_key_is_named_though_it_has_the_right_name(tampered, signers):
    data = tampered.files[NAME]
    tampered.files[NAME + ".sig"] = sign_declared(data, new_signer("test-operator"))
    failed = tampered.failed(signers.ring)
    assert "/declared_values: stated and found differ" in failed["declared values"]
    assert "0001-value-test.toml: operator key test-operator+" in failed["declared values"]
    assert "not among the keys given as trusted" in failed["declared values"]


def test_a_key_that_the_caller_knows_to_be_revoked_is_named(tampered, signers):
    entries = [
        entry.model_copy(update={"revoked_at": datetime(2026, 1, 1, tzinfo=UTC)})
        if entry.role is Role.OPERATOR
        else entry
        for entry in signers.ring.entries
    ]
    failed = tampered.failed(KeyRing(entries))
    assert "0001-value-test.toml: operator key" in failed["declared values"]
    assert "0002-integrity-check-test.toml: operator key" in failed["declared values"]
    assert "revoked at 2026-01-01" in failed["declared values"]


def test_without_trusted_keys_declared_values_could_not_be_checked(tampered):
    assert "no trusted keys were given" in tampered.failed(None)["declared values"]


@pytest.mark.parametrize(
    "rows", [None, {}, [7], ["a" * 64], [{"file": {}}], [{"file": "x"}, {"file": "x"}], [{"file": [], "sha256": 1}]]
)
def test_a_list_of_another_shape_is_told(tampered, signers, rows):
    tampered.state(tampered.statement() | {"declared_values": rows})
    assert tampered.failed(signers.ring)["declared values"]


@pytest.mark.parametrize("key", ["kind", "id", "point", "replaces", "signer"])
def test_every_word_about_a_declared_value_is_compared(tampered, signers, key):
    document = tampered.statement()
    document["declared_values"][0][key] = "another"
    tampered.state(document)
    failed = tampered.failed(signers.ring)
    assert "/declared_values: stated and found differ" in failed["declared values"]
    assert f"/declared_values/0/{key}: stated" in failed["computing"]

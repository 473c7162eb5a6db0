"""A bundle is the same bytes for the same statement, and what is not a bundle is refused before it is read."""

import io
import struct
import zipfile

import pytest

from registry.bundle import MANIFEST, frame, manifest_faults, read_bundle, unframe, write_bundle
from registry.errors import BundleError

FILES = {
    "statement.json": b"{}",
    "project.toml": b"id = 'x'\n",
    "evidence/01JFXP0000QZ8V6ZJ3T5N7R9WA.records": b"\0\0\0\1x",
    f"maps/{'0' * 64}.toml": b"",
}


def _written(files, tmp_path):
    path = tmp_path / "bundle.zip"
    write_bundle(path, files)
    return path


def _zip(tmp_path, entries, method=zipfile.ZIP_STORED):
    path = tmp_path / "crafted.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def test_the_same_files_give_the_same_bytes_in_whatever_order():
    first, second = io.BytesIO(), io.BytesIO()
    write_bundle(first, FILES)
    write_bundle(second, dict(reversed(FILES.items())))
    assert first.getvalue() == second.getvalue()


def test_what_was_written_is_read_back_and_agrees_with_its_manifest(tmp_path):
    files = read_bundle(_written(FILES, tmp_path))
    assert next(iter(files)) == MANIFEST
    assert {name: files[name] for name in FILES} == FILES
    assert manifest_faults(files) == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "log/x", "manifest.json", "evidence/x.records", "maps/x.toml"])
def test_a_foreign_name_is_neither_written_nor_read(tmp_path, name):
    with pytest.raises(BundleError, match="no place in a bundle"):
        write_bundle(tmp_path / "x.zip", {name: b""})
    if name != "manifest.json":
        with pytest.raises(BundleError, match="no place in a bundle"):
            read_bundle(_zip(tmp_path, [(name, b"")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_occurs_twice_is_refused(tmp_path):
    with pytest.raises(BundleError, match="occurs twice"):
        read_bundle(_zip(tmp_path, [("keys.toml", b"a"), ("keys.toml", b"b")]))


def test_a_compressed_entry_is_refused_so_that_nothing_can_swell(tmp_path):
    with pytest.raises(BundleError, match="compressed"):
        read_bundle(_zip(tmp_path, [("keys.toml", b"\0" * 1_000_000)], zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(
    ("at", "value"), [(10, zipfile.ZIP_DEFLATED), (20, 1)], ids=["a method of its own", "a size of its own"]
)
def test_an_entry_that_only_says_it_is_compressed_is_refused_too(tmp_path, at, value):
    path = _zip(tmp_path, [("keys.toml", b"ab")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + at] = value
    path.write_bytes(data)
    with pytest.raises(BundleError, match="compressed"):
        read_bundle(path)


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    """Twenty names for one megabyte: the directory claims more than the file holds."""
    path = _zip(tmp_path, [(f"maps/{n:064}.toml", b"x" * 1000) for n in range(20)])
    data = path.read_bytes()
    first = data.index(b"PK\x01\x02")
    shared = bytearray(data)
    shared[first + 20 : first + 28] = struct.pack("<II", 900_000, 900_000)
    path.write_bytes(shared)
    with pytest.raises(BundleError, match="the entries claim"):
        read_bundle(path)


def test_a_local_header_that_points_beyond_the_end_is_refused(tmp_path):
    """The length of a name, in the header before the bytes of the last entry."""
    path = _zip(tmp_path, [("project.toml", b"a"), ("keys.toml", b"b" * 100)])
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x03\x04") + 26
    data[at : at + 2] = b"\xff\xff"
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r"keys\.toml ends after 0 of 100 bytes"):
        read_bundle(path)


def test_entries_are_read_from_where_the_directory_says(tmp_path):
    """Something stands before the archive, as before one that unpacks itself."""
    path = _written(FILES, tmp_path)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert {name: data for name, data in read_bundle(path).items() if name != MANIFEST} == FILES


def test_an_entry_is_read_behind_whatever_its_local_header_adds(tmp_path):
    path = tmp_path / "crafted.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("keys.toml")
        entry.extra = struct.pack("<HH3s", 0x6B73, 3, b"abc")
        archive.writestr(entry, b"the keys")
        archive.writestr("project.toml", b"the project")
    assert read_bundle(path) == {"keys.toml": b"the keys", "project.toml": b"the project"}


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("registry.bundle._MAX_ENTRIES", 3)
    assert len(read_bundle(_zip(tmp_path, [(f"maps/{n:064}.toml", b"") for n in range(3)]))) == 3
    with pytest.raises(BundleError, match="at most 3"):
        read_bundle(_zip(tmp_path, [(f"maps/{n:064}.toml", b"") for n in range(4)]))


@pytest.mark.parametrize("cut", [0, 1, 10, 100])
def test_a_truncated_bundle_is_refused(tmp_path, cut):
    path = _written(FILES, tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BundleError, match="cannot be read as a zip"):
        read_bundle(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="cannot be read"):
        read_bundle(tmp_path / "nothing.zip")


def test_the_manifest_names_what_differs_what_is_missing_and_what_is_unlisted(tmp_path):
    files = read_bundle(_written(FILES, tmp_path))
    files["project.toml"] += b"#"
    del files["statement.json"]
    files["keys.toml"] = b""
    missing, unlisted, differs = manifest_faults(files)
    assert "statement.json" in missing
    assert "missing" in missing
    assert "keys.toml: not listed" in unlisted
    assert differs.startswith("project.toml: manifest.json says")


@pytest.mark.parametrize(
    "manifest", [b"", b"[]", b'{"type":"other","files":{}}', b'{"type":"sakugen.bundle/1","files":1}']
)
def test_a_manifest_of_another_kind_is_a_fault(manifest):
    assert len(manifest_faults({MANIFEST: manifest})) == 1


def test_no_manifest_is_a_fault():
    assert manifest_faults({}) == ["manifest.json is missing"]


def test_framed_records_are_taken_apart_again():
    records = [b"", b"x", b"y" * 70_000, b"z" * 1024**2, b""]
    assert list(unframe(frame(records))) == records


def test_a_record_of_more_than_a_mebibyte_is_refused():
    with pytest.raises(BundleError, match="a record of 1048577 bytes is announced at byte 4"):
        list(unframe(frame([b"z" * (1024**2 + 1)])))


@pytest.mark.parametrize("data", [b"\0\0\0", b"\0\0\0\2x", b"\xff\xff\xff\xff" + b"x" * 10])
def test_a_length_beyond_the_end_is_refused(data):
    with pytest.raises(BundleError, match=r"length|announced"):
        list(unframe(data))

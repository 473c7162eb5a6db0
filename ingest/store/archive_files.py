"""The archive's files: a folder on a disk or in object storage; the only file that knows fsspec.

In go bytes, out come bytes whose digest is the one that the manifest names. Files are named by their content and never
changed; only the manifest moves, in one step. A file that no manifest names any more is an earlier generation.
"""

import hashlib
import os
from functools import cached_property
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic import ValidationError

from ingest.errors import ArchiveError
from ingest.store.archive_layout import FileEntry, Manifest, MonthEntry
from metering.record import brief


class ArchiveFolder:
    """All files of one archive; holds no connection before it is asked for something."""

    def __init__(self, url: str) -> None:
        """Keep where it is.

        Args:
            url: a path, or what fsspec understands: "s3://bucket/archive" (credentials come from the environment).
        """
        self.url = url

    def manifest(self, project: str) -> Manifest | None:
        """Read what counts of a project; None when nothing of it was ever archived.

        Raises:
            ArchiveError: when it cannot be read.
        """
        path = f"{project}/manifest.json"
        if not self._fs.exists(self._full(path)):
            return None
        try:
            return Manifest.model_validate_json(self._read(path))
        except ValidationError as error:
            raise ArchiveError(f"{self.url}/{path}: no manifest of an archive: {brief(error)}") from None

    def put_manifest(self, manifest: Manifest) -> None:
        """Let a manifest count from now on.

        Raises:
            ArchiveError: when it cannot be written.
        """
        ordered = manifest.model_copy(update={"months": dict(sorted(manifest.months.items()))})
        self._put(f"{manifest.project}/manifest.json", ordered.model_dump_json(indent=1).encode() + b"\n")

    def put_file(self, project: str, kind: str, month: str, data: bytes, rows: int) -> FileEntry:
        """Store a file, durable when this returns; nothing is done when it is there already.

        Raises:
            ArchiveError: when it cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        entry = FileEntry(path=f"{kind}/{month}-{digest}.parquet", sha256=digest, size_bytes=len(data), rows=rows)
        path = f"{project}/{entry.path}"
        if not (self._fs.exists(self._full(path)) and self._fs.size(self._full(path)) == len(data)):
            self._put(path, data)
        return entry

    def file(self, project: str, entry: FileEntry) -> bytes:
        """Read a whole file.

        Raises:
            ArchiveError: when it is missing, or its bytes are not the ones that were written.
        """
        path = f"{project}/{entry.path}"
        data = self._read(path)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ArchiveError(
                f"{self.url}/{path}: {len(data)} bytes that are not the ones the manifest names;"
                " remove the file and run `sakugen ingest archive`: it is made again from the journal"
            )
        return data

    def holds(self, project: str, entry: MonthEntry) -> bool:
        """Whether all files of a month are there."""
        files = (entry.readings, entry.polls, entry.births)
        return all(self._fs.exists(self._full(f"{project}/{file.path}")) for file in files)

    def where(self, project: str, entry: FileEntry) -> str:
        """The address of a file, for other software."""
        return str(self._fs.unstrip_protocol(self._full(f"{project}/{entry.path}")))

    @cached_property
    def _opened(self) -> tuple[fsspec.AbstractFileSystem, str]:
        fs, root = fsspec.url_to_fs(self.url)
        return fs, root.rstrip("/")

    @property
    def _fs(self) -> fsspec.AbstractFileSystem:
        return self._opened[0]

    def _full(self, path: str) -> str:
        return f"{self._opened[1]}/{path}"

    def _read(self, path: str) -> bytes:
        try:
            return bytes(self._fs.cat_file(self._full(path)))
        except OSError as error:
            raise ArchiveError(f"{self.url}/{path}: cannot be read: {error}") from None

    def _put(self, path: str, data: bytes) -> None:
        try:
            if isinstance(self._fs, LocalFileSystem):
                _put_durably(Path(self._full(path)), data)
            else:
                self._fs.makedirs(self._full(path).rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(self._full(path), data)  # an object store shows a whole object or none
        except OSError as error:
            raise ArchiveError(f"{self.url}/{path}: cannot be written: {error}") from None


def _put_durably(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

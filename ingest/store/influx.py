"""Write prepared line protocol to InfluxDB: the only file that knows influxdb-client.

In go bytes, lines with times in milliseconds; when `write` returns, InfluxDB has answered that it has them. Version
1.x before 1.8 has only `/write`; later ones are written through influxdb-client, synchronously: its batching writer
loses what it still holds when the process ends.
"""

import base64
import http.client
import json
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

import urllib3.exceptions
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from ingest.config import InfluxSettings
from ingest.errors import InfluxError, InfluxRejectedError

_TIMEOUT_S: Final = 10.0


class Writer(Protocol):
    """Something that takes lines."""

    def write(self, lines: bytes) -> None:
        """Write lines; when this returns they are in InfluxDB.

        Raises:
            InfluxRejectedError: some, or none, were written, because at least one is bad.
            InfluxError: nothing is known; the same lines may be sent again.
        """


def open_writer(settings: InfluxSettings) -> Writer:
    """Choose how to write, by the server's version unless the configuration says.

    Raises:
        InfluxError: when the server does not answer.
    """
    one = settings.api == "1" or (settings.api == "auto" and _version(settings.url).lstrip("v").startswith("1."))
    return OneWriter(settings) if one else TwoWriter(settings)


class LazyWriter:
    """Asks for the server's version at the first write that it answers: InfluxDB may start after us."""

    def __init__(self, settings: InfluxSettings) -> None:
        """Keep the settings."""
        self._settings = settings
        self._writer: Writer | None = None

    def write(self, lines: bytes) -> None:
        """Write lines. Raises as `Writer.write`."""
        self._writer = self._writer or open_writer(self._settings)
        self._writer.write(lines)


def _secret(file: Path | None) -> str:
    return "" if file is None else file.read_text(encoding="utf-8").strip()


class OneWriter:
    """The 1.x interface, `/write`."""

    def __init__(self, settings: InfluxSettings) -> None:
        """Keep where to write; connections are opened by each call."""
        self._url = settings.url
        self._bucket = settings.bucket
        self._path = "/write?" + urlencode({"db": settings.bucket, "precision": "ms"})
        self._headers = {}
        if settings.username is not None:
            pair = f"{settings.username}:{_secret(settings.password_file)}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()

    def write(self, lines: bytes) -> None:
        """Write lines; the database is made when it is missing. Raises as `Writer.write`."""
        status, answer, retry_after = _request(self._url, "POST", self._path, lines, self._headers)
        if status == HTTPStatus.NOT_FOUND and "database not found" in answer:
            query = "/query?" + urlencode({"q": f'CREATE DATABASE "{self._bucket}"'})
            _request(self._url, "POST", query, b"", self._headers)
            status, answer, retry_after = _request(self._url, "POST", self._path, lines, self._headers)
        _check(status, answer, retry_after, self._url)


class TwoWriter:
    """The 2.x interface, `/api/v2/write`, which 1.8 and 3 have too."""

    def __init__(self, settings: InfluxSettings) -> None:
        """Keep where to write."""
        self._settings = settings

    def write(self, lines: bytes) -> None:
        """Write lines. Raises as `Writer.write`."""
        settings = self._settings
        token = _secret(settings.token_file)
        try:
            with InfluxDBClient(settings.url, token, org=settings.org, timeout=int(_TIMEOUT_S * 1000)) as client:
                client.write_api(write_options=SYNCHRONOUS).write(
                    settings.bucket, settings.org, lines, write_precision=WritePrecision.MS
                )
        except ApiException as error:
            retry_after = error.headers.get("Retry-After") if error.headers else None
            _check(error.status or 0, str(error.body or error.reason), retry_after, settings.url)
        except urllib3.exceptions.HTTPError as error:
            raise InfluxError(f"no answer from InfluxDB at {settings.url}: {error}") from None


def _check(status: int, answer: str, retry_after: str | None, url: str) -> None:
    if status in (HTTPStatus.NO_CONTENT, HTTPStatus.OK):
        return
    what = f"InfluxDB at {url} answered {status}: {answer.strip()[:300]}"
    if status == HTTPStatus.BAD_REQUEST:
        raise InfluxRejectedError(what)
    seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    raise InfluxError(what, seconds)


def _version(url: str) -> str:
    """Ask a server which InfluxDB it is: 1.x answers `/ping`, 2.x and 3 too, not all of them with a header."""
    connection = _connection(url)
    try:
        with closing(connection):
            connection.request("GET", "/ping")
            return connection.getresponse().headers.get("X-Influxdb-Version") or ""
    except (OSError, http.client.HTTPException) as error:
        raise InfluxError(f"no answer from InfluxDB at {url}: {error}") from None


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port or 8086, timeout=_TIMEOUT_S)


def _request(url: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, str | None]:
    connection = _connection(url)
    try:
        with closing(connection):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            return response.status, _error_of(text), response.headers.get("Retry-After")
    except (OSError, http.client.HTTPException) as error:
        raise InfluxError(f"no answer from InfluxDB at {url}: {error}") from None


def _error_of(text: str) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, TypeError, KeyError):
        return text

"""Write prepared line protocol to InfluxDB: the only file that knows influxdb-client.

In go bytes, lines with times in milliseconds; when `write` returns, InfluxDB has answered that it has them. Version
1.x before 1.8 has only `/write`; later ones are written through influxdb-client, synchronously: its batching writer
loses what it still holds when the process ends.
"""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlencode

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from ingest.errors import InfluxError, InfluxRejectedError
from ingest.store.influx_settings import InfluxServer, InfluxTarget

_TIMEOUT_S: Final = 10.0
_REJECTED: Final = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
"""At least one line is bad, too old for the bucket, or there are too many of them."""


class Writer(Protocol):
    """Something that takes lines."""

    def write(self, lines: bytes) -> None:
        """Write lines; when this returns they are in InfluxDB.

        Raises:
            InfluxRejectedError: some, or none, were written, because at least one is bad.
            InfluxError: nothing is known; the same lines may be sent again.
        """


def open_writer(settings: InfluxTarget) -> Writer:
    """Choose how to write, by the server's version unless the configuration says.

    Raises:
        InfluxError: when the server does not answer.
    """
    one = settings.api == "1" or (settings.api == "auto" and _version(settings).lstrip("v").startswith("1."))
    return OneWriter(settings) if one else TwoWriter(settings)


class LazyWriter:
    """Asks for the server's version at the first write that it answers: InfluxDB may start after us."""

    def __init__(self, settings: InfluxTarget) -> None:
        """Keep the settings."""
        self._settings = settings
        self._writer: Writer | None = None

    def write(self, lines: bytes) -> None:
        """Write lines. Raises as `Writer.write`."""
        self._writer = self._writer or open_writer(self._settings)
        self._writer.write(lines)


class OneWriter:
    """The 1.x interface, `/write`."""

    def __init__(self, settings: InfluxTarget) -> None:
        """Keep where to write; the first call connects."""
        self._door = Door(settings)
        self._bucket = settings.bucket
        self._path = "/write?" + urlencode({"db": settings.bucket, "precision": "ms"})

    def write(self, lines: bytes) -> None:
        """Write lines; the database is made when it is missing. Raises as `Writer.write`."""
        answer = self._door.ask("POST", self._path, lines)
        if answer.status == HTTPStatus.NOT_FOUND and b"database not found" in answer.data:
            self._door.ask("POST", "/query?" + urlencode({"q": f'CREATE DATABASE "{self._bucket}"'}))
            answer = self._door.ask("POST", self._path, lines)
        check(answer.status, answer.data.decode(errors="replace"), answer.headers.get("Retry-After"), self._door.url)


class TwoWriter:
    """The 2.x interface, `/api/v2/write`, which 1.8 and 3 have too."""

    def __init__(self, settings: InfluxServer) -> None:
        """Keep where to write; the first call connects."""
        self._settings = settings
        self._client: InfluxDBClient | None = None

    def write(self, lines: bytes) -> None:
        """Write lines. Raises as `Writer.write`."""
        settings = self._settings
        try:
            client = self._client = self._client or _client(settings)
            client.write_api(write_options=SYNCHRONOUS).write(
                settings.bucket,
                settings.org,
                lines,
                write_precision=WritePrecision.MS,  # type: ignore[arg-type]
            )
        except ApiException as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                self._client = None  # the token may have been renewed: the next call reads its file again
            if not error.status:
                raise InfluxError(f"no answer from InfluxDB at {settings.url}: {error.reason}") from None
            retry_after = error.headers.get("Retry-After") if error.headers else None
            check(error.status, str(error.body or error.reason), retry_after, settings.url)
        except urllib3.exceptions.HTTPError as error:
            raise InfluxError(f"no answer from InfluxDB at {settings.url}: {error}") from None


class Door:
    """Plain requests to an InfluxDB, with what it wants to know of us; connections are kept."""

    def __init__(self, settings: InfluxServer) -> None:
        """Keep the settings; the first call connects."""
        self.url = settings.url
        self._settings = settings
        ca_file = None if settings.ca_file is None else str(settings.ca_file)
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S, ca_certs=ca_file)

    def ask(
        self, method: str, path: str, body: bytes = b"", accept: str = "application/json"
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and read the whole answer.

        Raises:
            InfluxError: when there is none.
        """
        headers = self._authorization() | {"Accept": accept}
        try:
            return self._pool.request(method, self.url.rstrip("/") + path, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise InfluxError(f"no answer from InfluxDB at {self.url}: {error}") from None

    def _authorization(self) -> dict[str, str]:
        settings = self._settings
        if settings.username is not None:
            pair = f"{settings.username}:{_secret(settings.password_file)}"
            return dict(urllib3.make_headers(basic_auth=pair))
        return {"Authorization": f"Token {_secret(settings.token_file)}"} if settings.token_file is not None else {}


def check(status: int, answer: str, retry_after: str | None, url: str) -> None:
    """Turn an answer other than success into its exception.

    Raises:
        InfluxRejectedError: for HTTP 400, 413, 422.
        InfluxError: for all others.
    """
    if status in (HTTPStatus.NO_CONTENT, HTTPStatus.OK):
        return
    what = f"InfluxDB at {url} answered {status}: {_error_of(answer).strip()[:300]}"
    if status in _REJECTED:
        raise InfluxRejectedError(what)
    seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    raise InfluxError(what, seconds)


def _client(settings: InfluxServer) -> InfluxDBClient:
    token = _secret(settings.token_file)
    ca_file = None if settings.ca_file is None else str(settings.ca_file)
    return InfluxDBClient(settings.url, token, org=settings.org, timeout=int(_TIMEOUT_S * 1000), ssl_ca_cert=ca_file)


def _version(settings: InfluxServer) -> str:
    """Ask a server which InfluxDB it is: 1.x answers `/ping`, 2.x and 3 too, not all of them with a header."""
    return Door(settings).ask("GET", "/ping").headers.get("X-Influxdb-Version") or ""


def _secret(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InfluxError(f"the secret for InfluxDB cannot be read from {file}: {error.strerror}") from None


def _error_of(answer: str) -> str:
    """The words of an error: 1.x has them under `error`, 2.x under `message`; 3 tells of each line under `data`."""
    try:
        body = json.loads(answer)
        return answer if body.get("data") else str(body.get("message") or body["error"])
    except (ValueError, AttributeError, KeyError):
        return answer

"""What InfluxDB 2.x and 3 answer, as their documentation says; no such server is at hand, so a fake answers."""

import re
import ssl
import threading

import pytest

from ingest import forward
from ingest.config import InfluxSettings
from ingest.errors import InfluxError, InfluxRejectedError
from ingest.forward import Forwarder, send
from ingest.store.influx import open_writer
from ingest.store.influx_query import InfluxReader
from ingest.store.reader import JournalReader
from metering.clock import SystemClock
from metering.interval import Interval

TEXT = b"reading,point=a x=1.0 1\nreading,point=bad x=1.0 2\nreading,point=c x=1.0 3\n"

TWO = {"code": "invalid", "message": "unable to parse 'reading,point=bad x=1.0 2': bad timestamp"}
TWO_TOO_OLD = {
    "code": "unprocessable entity",
    "message": "failure writing points to database: partial write: points beyond retention policy dropped=1",
}
TWO_TOO_LARGE = {"code": "request too large", "message": "cannot read data: unable to read data: body too large"}
THREE = {
    "error": "partial write of line protocol occurred",
    "data": [{"original_line": "reading,point=bad x=1.0 2", "line_number": 2, "error_message": "invalid column type"}],
}


@pytest.mark.parametrize("takes_the_good_ones", [True, False])
@pytest.mark.parametrize(
    ("version", "status", "body"),
    [("v2.7.12", 400, TWO), ("v2.7.12", 422, TWO_TOO_OLD), ("v2.7.12", 413, TWO_TOO_LARGE), ("3.8.0", 400, THREE)],
)
def test_of_a_request_with_a_bad_line_the_others_are_in_and_the_bad_one_is_held_with_the_reason(
    serve_influx, version, status, body, takes_the_good_ones
):
    server = serve_influx(version)
    server.bad, server.refusal, server.takes_the_good_ones = b"bad", (status, body), takes_the_good_ones
    held: list[tuple[bytes, str]] = []
    writer = open_writer(InfluxSettings(url=server.url))
    send(writer, TEXT, lambda line, error: held.append((line, str(error))))
    assert sorted(server.lines) == [b"reading,point=a 1", b"reading,point=c 3"]
    ((line, error),) = held
    assert line == b"reading,point=bad x=1.0 2\n"
    assert (body.get("message") or body["error"]) in error


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"code": "unauthorized", "message": "unauthorized access"}),
        (404, {"code": "not found", "message": 'bucket "sakugen" not found'}),
        (429, {"code": "too many requests", "message": "org write rate limit exceeded"}),
        (500, {"code": "internal error", "message": "unexpected error writing points to database: timeout"}),
        (503, {"code": "unavailable", "message": "service unavailable"}),
    ],
)
def test_what_may_be_well_later_is_tried_again_and_no_line_is_held_for_it(serve_influx, status, body):
    server = serve_influx("v2.7.12")
    server.answers, server.refusal = [(status, {"Retry-After": "3"})], (status, body)
    with pytest.raises(InfluxError, match=re.escape(body["message"])) as error:
        send(open_writer(InfluxSettings(url=server.url)), TEXT, lambda *_: pytest.fail("held"))
    assert not isinstance(error.value, InfluxRejectedError)
    assert error.value.retry_after_s == 3


def test_the_forwarder_waits_as_long_as_it_is_asked_to(serve_influx, tmp_path, monkeypatch):
    waits: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            if len(waits) == 4:
                self.set()
            return self.is_set()

    failures = [InfluxError("busy", 7.0), InfluxError("busy"), InfluxError("busy", 300.0), InfluxError("busy")]

    def step(_self) -> bool:
        raise failures.pop(0)

    monkeypatch.setattr(forward.Forwarder, "step", step)
    journal = JournalReader(tmp_path / "journal.sqlite")
    writer = open_writer(InfluxSettings(url=serve_influx("v2.7.12").url))
    Forwarder(journal, writer, tmp_path / "forward.sqlite", SystemClock()).run(Stop())
    assert waits == [7, 2, 300, 8]


def test_a_token_that_was_renewed_is_read_again_after_a_refusal(serve_influx, tmp_path):
    server, token = serve_influx("v2.7.12"), tmp_path / "token"
    token.write_text("old")
    writer = open_writer(InfluxSettings(url=server.url, token_file=token))
    writer.write(TEXT)
    token.write_text("new")
    server.answers = [(401, {})]
    with pytest.raises(InfluxError, match="401"):
        writer.write(TEXT)
    writer.write(TEXT)
    assert server.authorization == ["Token old", "Token old", "Token new"]


def test_a_secret_that_cannot_be_read_says_which_file(serve_influx, tmp_path):
    settings = InfluxSettings(url=serve_influx("v2.7.12").url, api="2", token_file=tmp_path / "none")
    with pytest.raises(InfluxError, match=r"cannot be read from .*none: No such file"):
        open_writer(settings).write(TEXT)


# --- TLS -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path, certify):
    """A certificate for 127.0.0.1 that vouches for itself, and a server's context with it."""
    certify(tmp_path, "influx")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "influx.pem", tmp_path / "influx.key")
    return tmp_path / "influx.pem", context


@pytest.mark.parametrize("version", ["1.6.7", "v2.7.12"])
def test_over_tls_only_a_server_with_a_trusted_certificate_is_written_to(serve_influx, certificate, version):
    file, context = certificate
    server = serve_influx(version, context)
    open_writer(InfluxSettings(url=server.url, ca_file=file)).write(TEXT)
    assert len(server.lines) == 3
    server.lines.clear()
    for api in ("auto", "1", "2"):
        with pytest.raises(InfluxError, match="no answer from InfluxDB at https"):
            open_writer(InfluxSettings(url=server.url, api=api)).write(TEXT)
    with pytest.raises(InfluxError, match="no answer from InfluxDB at https"):
        InfluxReader(InfluxSettings(url=server.url)).readings("farm", "ac", Interval(0, 1))
    assert server.lines == {}

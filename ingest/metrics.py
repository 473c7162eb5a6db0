"""What people and Prometheus ask of a running ingest: alive, ready, numbers; the only file of it that knows its client.

In goes what ingest counts (`tally`) and what its journal holds (`store.census`), out come three pages on an address of
their own: `/healthz`, `/readyz`, `/metrics`. Nothing here writes.
"""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from ingest.config import MetricsSettings
from ingest.errors import MetricsError
from ingest.forward import standing
from ingest.store import census
from ingest.tally import Tally
from ingest.validate import Action
from metering.clock import Clock, monotonic_s

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

HUNG_AFTER_S: Final = 60.0
"""The main loop goes round several times a second; a commit on a slow disk may take a while."""


class Metrics:
    """A small HTTP server. Use it with `with`."""

    def __init__(
        self, settings: MetricsSettings, journal: Path, forward: Path | None, tally: Tally, clock: Clock
    ) -> None:
        """Remember what to show; nobody listens yet.

        Args:
            settings: where to listen.
            journal: the journal's SQLite file.
            forward: the forwarder's own file; None when nothing is forwarded.
            tally: what ingest counts.
            clock: for ages.
        """
        self._settings = settings
        self._tally = tally
        self._registry = CollectorRegistry()
        self._registry.register(_Scrape(lambda: families(journal, forward, tally, clock.now_ms())))
        self._server: WSGIServer | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            MetricsError: when the address cannot be had.
        """
        host, port = self._settings.host, self._settings.port
        try:
            self._server = make_server(host, port, self._answer, _Server, _Quiet)
        except OSError as error:
            raise MetricsError(
                f"metrics cannot be shown at {host}:{port} ({error.strerror}): choose another port or host under"
                " [metrics], or end what has it"
            ) from error
        self._thread = Thread(target=self._server.serve_forever, name="metrics")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/healthz":
                return _say(start_response, hung(self._tally))
            case "/readyz":
                return _say(start_response, hung(self._tally) or not_ready(self._tally))
            case "/metrics":
                pages: Callable[..., Iterable[bytes]] = make_wsgi_app(self._registry)
                return pages(environ, start_response)
            case _:
                start_response("404 Not Found", [("Content-Type", "text/plain")])
                return [b"/healthz, /readyz or /metrics\n"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - its name and types
        """Say nothing of each scrape."""


def _say(start_response: "StartResponse", trouble: str | None) -> list[bytes]:
    status = HTTPStatus.OK if trouble is None else HTTPStatus.SERVICE_UNAVAILABLE
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{trouble or 'ok'}\n".encode()]


def hung(tally: Tally) -> str | None:
    """Say that the main loop hangs; None while it goes round."""
    silent_s = monotonic_s() - tally.stepped_s
    return f"the main loop has not gone round for {silent_s:.0f} s" if silent_s > HUNG_AFTER_S else None


def not_ready(tally: Tally) -> str | None:
    """Say why no record can be taken now; None when one can."""
    if tally.disk_full:
        return "the disk is full: nothing is read until there is space again"
    return None if tally.connected else "there is no connection to the broker"


class _Scrape(Collector):
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def describe(self) -> Iterator[Metric]:
        """Say nothing in advance: nothing is read when this is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Count."""
        return self._collect()


def families(journal: Path, forward: Path | None, tally: Tally, now_ms: int) -> Iterator[Metric]:
    """Write what there is as Prometheus has it.

    Args:
        journal: the journal's SQLite file.
        forward: the forwarder's own file.
        tally: what ingest counts.
        now_ms: for ages [ms since the Unix epoch].

    Raises:
        JournalError: when the journal cannot be read; the scrape then fails, which says so.
    """
    found = census.take(journal)
    messages = CounterMetricFamily("sakugen_ingest_messages", "Messages, by what became of them.", labels=["outcome"])
    for action in Action:
        messages.add_metric([action.value], tally.outcomes[action])
    yield messages
    commits = "Batches from memory to disk: signatures checked, stored, fsynced."
    yield SummaryMetricFamily("sakugen_ingest_commit_seconds", commits, tally.batches, tally.commit_s)
    yield _gauge("slowest_commit_seconds", "The longest commit since the start.", tally.slowest_commit_s)
    yield _gauge("waiting_bytes", "Messages in memory that are not committed yet.", tally.waiting_bytes)
    yield CounterMetricFamily("sakugen_ingest_acks", "Acks sent.", tally.acks)
    yield _gauge("connected", "1 while the broker has accepted us.", float(tally.connected))
    yield _gauge("disk_full", "1 while nothing is read because the disk takes nothing.", float(tally.disk_full))
    yield _gauge("bad_months", "Closed months whose file is missing or was changed.", tally.bad_months)
    yield from _of_gateways(found, now_ms)
    yield _gauge("forks", "Records that contradict the journal.", found.forks)
    yield _gauge("holes", "Spans of records that no gateway holds any more.", found.holes)
    yield _gauge("incidents", "What only a person can judge; `sakugen quarantine list` shows it.", found.incidents)
    sizes = GaugeMetricFamily("sakugen_ingest_journal_bytes", "Size on disk.", labels=["part"])
    for part, size in found.bytes.items():
        sizes.add_metric([part], size)
    yield sizes
    if forward is not None:
        cursor, held_lines = standing(forward)
        yield _gauge("forward_lag_records", "Records that InfluxDB does not have yet.", found.last_id - cursor)
        yield _gauge("forward_held_lines", "Lines that InfluxDB does not take.", held_lines)


def _of_gateways(found: census.Census, now_ms: int) -> Iterator[Metric]:
    labels = ["site", "gateway"]
    heard = GaugeMetricFamily(
        "sakugen_ingest_last_record_timestamp_seconds", "When a record was last stored.", labels=labels
    )
    lag = GaugeMetricFamily(
        "sakugen_ingest_lag_seconds", "Age of the last slot of the newest record that is stored.", labels=labels
    )
    held = GaugeMetricFamily("sakugen_ingest_held_records", "Stored records that cannot be used yet.", labels=labels)
    refused = CounterMetricFamily("sakugen_ingest_refused_messages", "Messages that prove nothing.", labels=labels)
    for one in found.gateways:
        names = [one.site, one.gateway]
        heard.add_metric(names, one.heard_ms / 1000)
        held.add_metric(names, one.held)
        refused.add_metric(names, one.refused)
        if one.newest_slot_ms is not None:
            lag.add_metric(names, (now_ms - one.newest_slot_ms) / 1000)
    yield from (heard, lag, held, refused)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"sakugen_ingest_{name}", text, value)

"""What Prometheus scrapes: numbers asked of the running gateway at each scrape; the only file that knows its client.

The scraper's thread asks the event loop and waits, so a gateway that hangs shows no old numbers: the scrape fails.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from gateway.config import MetricsSettings
from gateway.errors import MetricsError
from gateway.tally import Measures

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

_ANSWER_WITHIN_S = 8.0
"""Less than the ten seconds that a scraper waits [s]."""


class Metrics:
    """A small HTTP server on an address of its own. Use it as an async context manager."""

    def __init__(self, settings: MetricsSettings, measure: Callable[[], Awaitable[Measures]]) -> None:
        """Remember what to show; nobody listens yet.

        Args:
            settings: where to listen.
            measure: asks the gateway; called in the event loop.
        """
        self._settings = settings
        self._measure = measure
        self._server: tuple[WSGIServer, Thread] | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            MetricsError: when the address cannot be had.
        """
        host, port = self._settings.host, self._settings.port
        registry = CollectorRegistry()
        registry.register(_Scrape(asyncio.get_running_loop(), self._measure))
        try:
            self._server = await asyncio.to_thread(start_http_server, port, host, registry)
        except OSError as error:
            raise MetricsError(
                f"metrics cannot be shown at {host}:{port} ({error.strerror}): choose another port or host under "
                "[metrics], or end what has it"
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        if self._server is not None:
            server, thread = self._server
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            await asyncio.to_thread(thread.join)


class _Scrape(Collector):
    def __init__(self, loop: asyncio.AbstractEventLoop, measure: Callable[[], Awaitable[Measures]]) -> None:
        self._loop = loop
        self._measure = measure

    def describe(self) -> Iterator[Metric]:
        """Say nothing in advance: the loop is not asked when this is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Ask the gateway."""

        async def measured() -> Measures:
            return await self._measure()

        asked = asyncio.run_coroutine_threadsafe(measured(), self._loop)
        try:
            measures = asked.result(_ANSWER_WITHIN_S)
        finally:
            asked.cancel()
        yield from families(measures)


def families(measures: Measures) -> Iterator[Metric]:
    """Write measures as Prometheus has them.

    Args:
        measures: what the gateway knows of itself.
    """
    queue = measures.queue
    yield _gauge("queue_records", "Records that wait for an ack.", queue.records)
    yield _gauge("queue_bytes", "Size of the records that wait for an ack.", queue.size_bytes)
    lag_ms = 0 if queue.oldest_ms is None else max(measures.now_ms - queue.oldest_ms, 0)
    yield _gauge("ack_lag_seconds", "Age of the oldest record that waits for an ack.", lag_ms / 1000)
    sealed = "Records sealed in the stream that began last."
    yield CounterMetricFamily("sakugen_gateway_sealed_records", sealed, queue.sealed_records)
    dropped = "Messages of the broker beyond the limit of the inbox."
    yield CounterMetricFamily("sakugen_gateway_dropped_messages", dropped, measures.dropped_messages)
    faults = GaugeMetricFamily("sakugen_gateway_fault", "1 for each fault there is now, by code.", labels=["code"])
    for code in measures.faults:
        faults.add_metric([code], 1)
    yield faults
    yield from _device_families(measures)


def _device_families(measures: Measures) -> Iterator[Metric]:
    trips = SummaryMetricFamily(
        "sakugen_gateway_round_trip_seconds", "From a request to the end of its answer.", labels=["device"]
    )
    for device, (count, total_s) in measures.round_trips.items():
        trips.add_metric([device], count, total_s)
    slots = CounterMetricFamily("sakugen_gateway_slots", "Slots read, with or without a value.", labels=["device"])
    errors = CounterMetricFamily(
        "sakugen_gateway_errors", "Slots read in which a point has this quality.", labels=["device", "quality"]
    )
    missed = CounterMetricFamily(
        "sakugen_gateway_missed_slots", "Slots that were due and not read.", labels=["device", "reason"]
    )
    success = GaugeMetricFamily(
        "sakugen_gateway_last_success_timestamp_seconds", "The last slot with a value.", labels=["device"]
    )
    for device, counts in measures.devices.items():
        slots.add_metric([device], counts.slots)
        for quality, count in counts.errors.items():
            errors.add_metric([device, quality.label], count)
        for reason, count in counts.missed.items():
            missed.add_metric([device, reason.label], count)
        if counts.last_success_ms is not None:
            success.add_metric([device], counts.last_success_ms / 1000)
    yield from (trips, slots, errors, missed, success)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"sakugen_gateway_{name}", text, value)

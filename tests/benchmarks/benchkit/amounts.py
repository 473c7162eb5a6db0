"""What compute does with arrays in memory: each parameter's readings to its amounts, on so many threads."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import chain

import numpy as np
from benchkit.solar_farm import Farm
from numba import njit

from compute.amounts import VintageAmount, split
from compute.methodologies import Monitored
from compute.project import PointSettings
from compute.rulesets import ruleset
from compute.task import Task
from compute.track import track_of
from ingest.store.readings import Evidence
from ingest.store.series import Series
from metering.interval import HOUR_MS

_COLUMNS = ("time_ms", "value", "quality", "sent_ms", "received_ms", "synced", "binding")


def task_of(made: Farm) -> Task:
    """What is to be measured of a farm."""
    vintages = made.project.vintages(made.period)
    return Task(made.project, made.evidence, made.period.id, vintages, ruleset(), Fraction(1))


def amounts(made: Farm, threads: int) -> list[tuple[VintageAmount, ...]]:
    """All rules over all readings; the amounts of each point, a vintage each."""
    task = task_of(made)
    spec = _generation(made)

    def one(point: PointSettings) -> tuple[VintageAmount, ...]:
        track = track_of(task, spec, _series(made, spec, point), point)
        return split(track.segment, track.law, task.vintages)

    points = made.project.points_with("generation")
    if threads == 1:
        return [one(point) for point in points]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, points))


def _generation(made: Farm) -> Monitored:
    (spec,) = (each for each in made.project.method.monitored if each.role == "generation")
    return spec


def _series(made: Farm, spec: Monitored, point: PointSettings) -> tuple[Series, ...]:
    return tuple(made.evidence.series(point.id, name) for name in spec.measurands)


def hours_of_each_point(made: Farm) -> list[list[tuple[int, int, int]]]:
    """For each point its hours since the period's start, with [low, high]: for comparing."""
    task = task_of(made)
    spec = _generation(made)
    found = []
    for point in made.project.points_with("generation"):
        track = track_of(task, spec, _series(made, spec, point), point)
        origin_ms = task.vintages[0].interval.start_ms
        hours = track.segment.hours
        rows = zip(hours.start_ms.tolist(), hours.low.tolist(), hours.high.tolist(), strict=True)
        found.append([((at_ms - origin_ms) // HOUR_MS, low, high) for at_ms, low, high in rows])
    return found


def arrays_of(evidence: Evidence) -> list[np.ndarray]:
    """Every array of readings once, also where series share it."""
    every = [getattr(series, name) for series in evidence.by_key.values() for name in _COLUMNS]
    return list({(each.ctypes.data, each.nbytes): each for each in every}.values())


def summed(arrays: Iterable[np.ndarray]) -> int:
    """Add everything up, the bytes of small types eight at a time: as fast as numpy reads memory."""
    return sum(int(np.sum(each[: len(each) // 8 * 8].view(np.int64))) for each in chain(arrays))


@njit(cache=True, nogil=True)
def _spin(turns: int) -> int:
    state = 1
    for _ in range(turns):
        state = (state * 6364136223846793005 + 1442695040888963407) & 0x7FFFFFFFFFFFFFFF
    return state


def spin(turns: int, threads: int) -> None:
    """Compute and touch no memory: what threads can gain on this machine, in this run."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_spin, [turns // 4] * 4))

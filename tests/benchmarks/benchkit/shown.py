"""What a simulated plant shows against what a journal holds, reading by reading: lost, doubled, wrong.

Truth comes from the simulators' own tables, typed apart from the gateway's device maps; the journal is read from the
bytes of its records and nothing else.
"""

import json
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ingest.store.reader import JournalReader
from metering.interval import Interval
from metering.measurands import MEASURANDS
from metering.record import Birth, parse, split
from simulators.devices.quantities import quantities
from simulators.devices.table import _FORMATS, encoded
from simulators.roster import Instrument, Site


@dataclass(frozen=True, slots=True)
class Difference:
    """In readings."""

    lost: int
    doubled: int
    wrong: int


def compare(reader: JournalReader, project: str, site: Site, due: Interval, after_ms: int) -> Difference:
    """Hold the journal of a project against its plant.

    Args:
        reader: the journal.
        project: whose.
        site: the plant, built anew.
        due: every slot of it must be there, and no other.
        after_ms: how long after its slot each answer was shown [ms].
    """
    birth, slots, values = _journalled(reader, project, due)
    instruments = {each.name: each for each in site.instruments}
    lost = doubled = wrong = 0
    for group in birth.groups:
        came = np.concatenate(slots[group.group] or [np.zeros(0, np.int64)])
        once, first = np.unique(came, return_index=True)
        expected = np.arange(due.start_ms, due.end_ms, group.interval_ms)
        lost += len(np.setdiff1d(expected, once)) * len(group.points)
        doubled += (len(came) - len(once)) * len(group.points)
        wrong += len(np.setdiff1d(once, expected)) * len(group.points)
        columns = site.plant.columns(group.device, once + after_ms)
        for point, part in enumerate(group.points):
            truth = _quanta(site, instruments[group.device], columns, part.measurand)
            wrong += int(np.sum(np.concatenate(values[group.group, point])[first] != truth))
    return Difference(lost, doubled, wrong)


def _journalled(reader: JournalReader, project: str, due: Interval):
    slots, values = defaultdict(list), defaultdict(list)
    birth = None
    for stored in reader.records(project, due.start_ms, due.end_ms):
        if stored.kind != "readings":
            birth = parse(stored.data)
            continue
        for group in json.loads(split(stored.data).text)["groups"]:
            slots[group["group"]].append(np.array(group["slots"], np.int64))
            for point, row in enumerate(group["values"]):
                values[group["group"], point].append(np.array(row, object))
    assert isinstance(birth, Birth)
    return birth, slots, values


def _quanta(site: Site, instrument: Instrument, columns, measurand: str):
    """What the registers say, by the simulators' table."""
    row = next(row for row in instrument.sheet.rows if row.shows == measurand)
    words = encoded(row, quantities(site.plant.instruments[instrument.name], columns)[measurand])
    ordered = np.ascontiguousarray(words[:, ::-1] if row.low_word_first else words, ">u2")
    numbers = ordered.view(_FORMATS[row.type])[:, 0].astype(np.float64)
    return np.rint(numbers * (row.step * MEASURANDS[measurand].quanta_per_unit)).astype(np.int64)

"""Where compute takes readings from, by name: the journal, the archive made of it, or an InfluxDB with other history.

In: compute's settings, a name and a project. Out: a `Source`, and how many of the project's records are held.
"""

# Parquet and InfluxDB's client take longer to import than a result from the journal takes: where they are wanted.
from collections.abc import Iterator
from typing import TYPE_CHECKING

from compute.config import ComputeSettings, InfluxHistory, Origin
from compute.frozen import POWERS
from compute.project import ProjectSettings
from compute.sources import installed_ms
from ingest.store.reader import JournalReader
from ingest.store.series import Meter
from ingest.store.sources import JournalSource, Source
from metering.errors import SakugenError
from metering.interval import Interval
from metering.measurands import INT64_MAX

if TYPE_CHECKING:
    from ingest.store.influx_reader import Declared


class NoOriginError(SakugenError):
    """A source that the configuration does not describe."""


def source_of(settings: ComputeSettings, origin: Origin, project: ProjectSettings) -> Source:
    """Give the source of a project's readings; nothing is opened.

    Args:
        settings: where each of them is.
        origin: which of them.
        project: for history that does not say what it was read with, whose meters it is.

    Raises:
        NoOriginError: when the settings do not say where it is.
    """
    if origin is Origin.JOURNAL:
        return JournalSource(JournalReader(settings.journal))
    if origin is Origin.ARCHIVE:
        if settings.archive is None:
            raise NoOriginError("--source archive: the configuration has no `archive`, the folder or address of it")
        from ingest.store.archive import Archive
        from ingest.store.archive_files import ArchiveFolder

        return Archive(ArchiveFolder(settings.archive))
    if settings.influxdb is None:
        raise NoOriginError("--source influxdb: the configuration has no [influxdb] table, which says where it is")
    from ingest.store.influx_reader import InfluxSource

    return InfluxSource(settings.influxdb, project.site, tuple(_declared(settings.influxdb, project)))


def held_records(settings: ComputeSettings, origin: Origin, project: ProjectSettings) -> int:
    """Count a project's records that are stored and cannot be used yet; history that has no records has none.

    Raises:
        JournalError: when the journal cannot be read; only it knows what is held, also of what is archived.
    """
    return 0 if origin is Origin.INFLUXDB else len(JournalReader(settings.journal).held(project.id))


def _declared(history: InfluxHistory, project: ProjectSettings) -> "Iterator[Declared]":
    """What project.toml says that history was read with: each measurand that decides an amount, by meter."""
    from ingest.store.influx_reader import Declared

    for point in project.point:
        names = {name for spec in project.method.monitored if spec.role == point.role for name in spec.measurands}
        names |= {POWERS[name][0] for name in names if name in POWERS}
        for name in sorted(names):
            for meter in project.meters_of(point.id):
                start_ms, end_ms = installed_ms(meter)
                span = Interval(start_ms, INT64_MAX if end_ms is None else end_ms)
                told = Meter(meter.make, meter.model, meter.serial)
                yield Declared(point.id, name, told, history.interval_s * 1000, span)

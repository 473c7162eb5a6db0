"""The configuration of compute's process: one TOML file; this model is its manual.

In goes a file, out come settings or every fault in it (`metering.config.load_toml`). Relative paths are taken from the
working directory.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ingest.store.influx_settings import InfluxServer
from metering.clock import ClockConfig


class Origin(StrEnum):
    """What readings can be taken from."""

    JOURNAL = "journal"
    ARCHIVE = "archive"
    INFLUXDB = "influxdb"


class InfluxHistory(InfluxServer):
    """An InfluxDB that holds history which never passed our gateways, or another system's."""

    interval_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    """From one due slot to the next [s]; InfluxDB does not say."""


class ComputeSettings(BaseModel):
    """All of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    journal: Path = Path("ingest/journal.sqlite")
    """Ingest's journal, which is only read."""
    projects: Annotated[tuple[Path, ...], Field(min_length=1)]
    """The project.toml of each project."""
    data_dir: Path = Path("compute")
    """Where results.sqlite, what is known of past months, and the compiled kernels are kept."""
    every_s: Annotated[float, Field(ge=0.5, le=3600)] = 60.0
    """How often the provisional results are computed anew [s]."""
    clock: ClockConfig = ClockConfig()
    """The clock that the plants follow."""
    archive: str | None = None
    """With --source archive: the folder that `sakugen ingest archive` writes, or its address in object storage."""
    influxdb: InfluxHistory | None = None
    """With --source influxdb: where it is; meters are those of project.toml."""

    @property
    def results(self) -> Path:
        """The file of the provisional results."""
        return self.data_dir / "results.sqlite"

    @property
    def partials(self) -> Path:
        """The file of what was measured in months that are over."""
        return self.data_dir / "partials.sqlite"


SAMPLE = """\
# Sakugen compute. It only reads the journal; all that it writes can be computed anew.
projects = ["projects/demo-solar.toml"] # the project.toml of each project
# journal = "ingest/journal.sqlite"     # ingest's journal
# data_dir = "compute"                  # results.sqlite and the compiled kernels
# every_s = 60.0                        # with --follow: how often results are computed anew [s]

# archive = "data/archive"              # with --source archive: what `sakugen ingest archive` writes; a folder or s3://…

# [clock]
# kind = "system"

# [influxdb]                            # with --source influxdb: history that never passed our gateways
# url = "http://127.0.0.1:8086"
# bucket = "sakugen"                    # with the 1.x interface the database
# org = "sakugen"
# token_file = "keys/influxdb.token"    # 2.x and later
# username = "compute"                  # 1.x with authentication
# password_file = "keys/influxdb.password"
# ca_file = "keys/ca.pem"               # for https; default: the system's certificates
# interval_s = 60                       # from one due slot to the next [s]
"""
"""A commented sample; a test compares it with the model."""

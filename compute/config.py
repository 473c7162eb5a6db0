"""The configuration of compute's process: one TOML file; this model is its manual.

In goes a file, out come settings or every fault in it (`metering.config.load_toml`). Relative paths are taken from the
working directory.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from metering.clock import ClockConfig


class ComputeSettings(BaseModel):
    """All of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    journal: Path = Path("ingest/journal.sqlite")
    """Ingest's journal, which is only read."""
    projects: Annotated[tuple[Path, ...], Field(min_length=1)]
    """The project.toml of each project."""
    data_dir: Path = Path("compute")
    """Where results.sqlite and the compiled kernels are kept."""
    every_s: Annotated[float, Field(ge=0.5, le=3600)] = 5.0
    """How often the provisional results are computed anew [s]."""
    clock: ClockConfig = ClockConfig()
    """The clock that the plants follow."""

    @property
    def results(self) -> Path:
        """The file of the provisional results."""
        return self.data_dir / "results.sqlite"


SAMPLE = """\
# Sakugen compute. It only reads the journal; all that it writes can be computed anew.
projects = ["projects/demo-solar.toml"] # the project.toml of each project
# journal = "ingest/journal.sqlite"     # ingest's journal
# data_dir = "compute"                  # results.sqlite and the compiled kernels
# every_s = 5.0                         # with --follow: how often results are computed anew [s]

# [clock]
# kind = "system"
"""
"""A commented sample; a test compares it with the model."""

"""In: the console's TOML file. Out: `ConsoleSettings`. This model is the manual."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from metering.clock import ClockConfig
from metering.topics import NAME_PATTERN

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class ProjectSettings(BaseModel):
    """One `[[project]]`: a column of the page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Name
    """The project's id, as in the gateway's configuration."""
    title: str = Field(min_length=1)
    """What people call it."""
    site: Name
    """The site its gateway signs for."""
    gateway: Name
    """The gateway whose records it comes from."""
    time_zone: str
    """Its civil time zone, for example "Asia/Ulaanbaatar"; slots are shown in it."""

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError('unknown time zone; allowed are IANA names such as "Asia/Ulaanbaatar"') from None
        return name


class ConsoleSettings(BaseModel):
    """The configuration of `sakugen dashboards console`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    journal: Path
    """Ingest's journal; it is opened read-only, and may not exist yet."""
    results: Path
    """Compute's results.sqlite; it may not exist yet."""
    host: str = "127.0.0.1"
    """The page asks for no password, so it is served to this machine only unless you say otherwise."""
    port: int = Field(default=8010, ge=0, le=65535)
    """0 takes a free one; the `ready` line names it."""
    stale_after_s: float = Field(default=1800, gt=0)
    """A reading older than this is marked; times the clock's factor [s]."""
    clock: ClockConfig = ClockConfig()
    """The clock that the plants follow, to tell a reading's age."""
    project: tuple[ProjectSettings, ...] = Field(min_length=1)
    """The projects to show, from left to right."""

    @field_validator("project")
    @classmethod
    def _ids_differ(cls, projects: tuple[ProjectSettings, ...]) -> tuple[ProjectSettings, ...]:
        ids = [project.id for project in projects]
        if len(set(ids)) != len(ids):
            raise ValueError("a project is listed twice")
        return projects


SAMPLE = """\
# Sakugen console: the first page. It asks for no password, so it is served to this machine only.
journal = "data/ingest/journal.sqlite"   # may not exist yet
results = "data/compute/results.sqlite"  # may not exist yet
# host = "127.0.0.1"
# port = 8010                            # 0 takes a free one
# stale_after_s = 1800.0                 # a reading older than this is marked [s]

# [clock]
# kind = "system"

[[project]]                              # a column of the page
id = "demo-solar"
title = "8.3 MW solar plant, Mongolia"
site = "mongolia-farm"
gateway = "gw-solar"
time_zone = "Asia/Ulaanbaatar"
"""
"""A commented sample; a test compares it with the model."""

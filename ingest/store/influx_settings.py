"""Where an InfluxDB is and how to be let in: for whoever writes to it and whoever reads it back.

In goes a table of a TOML file; this model is its manual. Secrets are in files of their own.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class InfluxServer(BaseModel):
    """One InfluxDB."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = "http://127.0.0.1:8086"
    bucket: str = "sakugen"
    """The bucket; with the 1.x interface the database."""
    org: str = "sakugen"
    """The organisation (2.x and later)."""
    token_file: Path | None = None
    """Holds the API token (2.x and later)."""
    username: str | None = None
    """The user (1.x with authentication)."""
    password_file: Path | None = None
    """Holds the password (1.x with authentication)."""
    ca_file: Path | None = None
    """Certificates that the server's must descend from, for an https address; the system's when absent."""


class InfluxTarget(InfluxServer):
    """One InfluxDB that is written to."""

    api: Literal["auto", "1", "2"] = "auto"
    """1 = /write; 2 = /api/v2/write; auto asks the server for its version."""

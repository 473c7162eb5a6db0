"""What the registry process is told: one TOML file, this model is its manual."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class RegistrySettings(BaseModel):
    """Settings of the registry process and of the statement commands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path
    """Where statements (`statements.sqlite`) and finished bundles are kept."""
    journal: Path
    """The journal that ingest writes; opened read-only."""
    projects: Annotated[tuple[Path, ...], Field(min_length=1)]
    """One `project.toml` per project that is served."""
    keys_file: Path
    """Public keys (`keys.toml`), served as a JSON Web Key Set."""
    operator_key_file: Path | None = None
    """The operator's private key, which drafting signs with; the HTTP API never opens it."""
    host: str = "127.0.0.1"
    """The address to listen on; loopback unless said otherwise, for nothing here asks who is calling."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """The TCP port to listen on; 0 lets the system choose."""

    @property
    def store_file(self) -> Path:
        """The statement store."""
        return self.data_dir / "statements.sqlite"

    @property
    def bundle_dir(self) -> Path:
        """Where finished bundles are kept; all of them can be made again."""
        return self.data_dir / "bundles"


SAMPLE = """\
# Sakugen registry: the statement commands and the HTTP API.
data_dir = "data/registry"               # statements and finished bundles
journal = "data/ingest/journal.sqlite"   # ingest's journal, opened read-only
projects = ["projects/demo-solar.toml"]  # the project.toml of each project
keys_file = "keys/keys.toml"             # public keys, served as a JSON Web Key Set
operator_key_file = "keys/operator.key"  # drafting signs with it; the HTTP API never opens it
# host = "127.0.0.1"                     # nothing here asks who is calling
# port = 8080                            # 0 lets the system choose
"""
"""A commented sample; a test compares it with the model."""

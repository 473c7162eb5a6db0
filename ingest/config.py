"""The configuration of ingest: one TOML file; this model is its manual.

In goes a file, out come settings or every fault in it (`metering.config.load_toml`). Relative paths are taken from the
working directory. Secrets are in files of their own.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.store.influx_settings import InfluxTarget
from ingest.store.journal import REFUSED_LIMIT_BYTES
from metering.clock import ClockConfig
from metering.topics import NAME_PATTERN

Port = Annotated[int, Field(ge=1, le=65535)]
DAY_S = 86_400


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(_Settings):
    """Encryption of the connection to the broker."""

    ca_file: Path | None = None
    """Certificates that the broker's must descend from; the system's when absent."""
    cert_file: Path | None = None
    """Our own certificate, for brokers that ask for one."""
    key_file: Path | None = None
    """The private key of `cert_file`."""


class BrokerSettings(_Settings):
    """The MQTT broker."""

    host: str = "127.0.0.1"
    port: Port = 1883
    protocol: Literal[4, 5] = 5
    """5 = MQTT 5; 4 = MQTT 3.1.1."""
    username: str | None = None
    password_file: Path | None = None
    """Holds the password on its first line."""
    tls: TlsSettings | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    session_expiry_s: Annotated[int, Field(ge=60)] = 7 * DAY_S
    """How long the broker keeps our session while we are away (MQTT 5) [s]."""
    receive_maximum: Annotated[int, Field(ge=1, le=65535)] = 256
    """How many records may be under way to us unacknowledged (MQTT 5)."""

    @model_validator(mode="after")
    def _password_needs_a_name(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self


class InfluxSettings(InfluxTarget):
    """Where good readings are copied to; leave the table out and nothing is forwarded."""

    results_file: Path | None = None
    """compute's results.sqlite; its hours are copied too, one point an hour and project."""


class MetricsSettings(_Settings):
    """Where people and Prometheus may ask: /healthz, /readyz, /metrics."""

    host: str = "127.0.0.1"
    """What to listen at; the numbers are for whoever reaches it."""
    port: Port


class IngestSettings(_Settings):
    """Everything that an ingest process needs to know."""

    data_dir: Path = Path("data/ingest")
    """Holds journal.sqlite and what belongs to it."""
    shard: Annotated[str, Field(pattern=NAME_PATTERN)] = "main"
    """Names this ingest; its MQTT client id is `sakugen:ingest:{shard}`."""
    keys_file: Path = Path("keys.toml")
    """The public keys that are trusted; read again when it changes."""
    ack_key_file: Path = Path("ack.key")
    """The private key that signs acks."""
    refused_limit_bytes: Annotated[int, Field(ge=0)] = REFUSED_LIMIT_BYTES
    """How large the bin of refused messages may grow [bytes]."""
    broker: BrokerSettings = BrokerSettings()
    clock: ClockConfig = ClockConfig()
    influxdb: InfluxSettings | None = None
    metrics: MetricsSettings | None = None
    """Absent: nobody listens."""

    @property
    def forward_path(self) -> Path:
        """The forwarder's own SQLite file."""
        return self.data_dir / "forward.sqlite"

    @property
    def journal_path(self) -> Path:
        """The journal's SQLite file."""
        return self.data_dir / "journal.sqlite"


SAMPLE = """\
# Sakugen ingest. One instance a shard; it alone writes the journal.
# data_dir = "data/ingest"             # journal.sqlite and what belongs to it
# shard = "main"                       # its MQTT client id follows from it
# keys_file = "keys.toml"              # the public keys that are trusted; read again when it changes
# ack_key_file = "ack.key"             # the private key that signs acks
# refused_limit_bytes = 100_000_000    # how large the bin of refused messages may grow [bytes]

[broker]
# host = "127.0.0.1"
# port = 1883
# protocol = 5                         # 4 for MQTT 3.1.1
# username = "ingest"
# password_file = "keys/broker.password"
# keepalive_s = 30
# session_expiry_s = 604_800           # how long the broker keeps our session while we are away [s]
# receive_maximum = 256                # records under way to us
# [broker.tls]
# ca_file = "keys/ca.pem"              # default: the system's certificates
# cert_file = "keys/ingest.pem"
# key_file = "keys/ingest.pem.key"

# [clock]
# kind = "system"

# [influxdb]                           # without this table nothing is forwarded
# url = "http://127.0.0.1:8086"
# api = "auto"                         # "1" = /write, "2" = /api/v2/write
# bucket = "sakugen"                   # with the 1.x interface the database
# org = "sakugen"
# token_file = "keys/influxdb.token"   # 2.x and later
# username = "ingest"                  # 1.x with authentication
# password_file = "keys/influxdb.password"
# ca_file = "keys/ca.pem"              # for https; default: the system's certificates
# results_file = "data/compute/results.sqlite" # compute's hours are copied too

# [metrics]                            # /healthz, /readyz, /metrics; absent: nobody listens
# host = "127.0.0.1"
# port = 9109
"""
"""A commented sample; a test compares it with the model."""

"""The MQTT topics of wire version 1, made and taken apart in one place."""

import re
from dataclasses import dataclass

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
"""What a site, gateway, shard, device or point may be called: also safe as a topic level and in a signed note."""

NOT_A_SITE = "ingest"
"""The one name that no site may have: the topics of the ingest service stand in its place."""

ROOT = "sakugen/v1"
ALL_LOGS = f"{ROOT}/+/+/log"
ALL_STATUSES = f"{ROOT}/+/+/status"
ALL_INGESTS_ONLINE = f"{ROOT}/ingest/+/online"


@dataclass(frozen=True, slots=True)
class GatewayId:
    """A gateway on a site; its text form `site/gateway` is also the name of its signing key."""

    site: str
    gateway: str

    def __post_init__(self) -> None:
        """Refuse names that could not be one topic level."""
        for name in (self.site, self.gateway):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be a site or gateway name; allowed: {NAME_PATTERN}")
        if self.site == NOT_A_SITE:
            raise ValueError(f"{NOT_A_SITE!r} cannot be a site name: its topics belong to the ingest service")

    def __str__(self) -> str:
        """Give `site/gateway`."""
        return f"{self.site}/{self.gateway}"


def log_topic(gateway: GatewayId) -> str:
    """Where a gateway publishes signed records, not retained."""
    return f"{ROOT}/{gateway}/log"


def ack_topic(gateway: GatewayId) -> str:
    """Where ingest publishes the signed cumulative ack, retained."""
    return f"{ROOT}/{gateway}/ack"


def status_topic(gateway: GatewayId) -> str:
    """Where a gateway publishes its unsigned status, retained; also its will."""
    return f"{ROOT}/{gateway}/status"


def birth_topic(gateway: GatewayId) -> str:
    """Where a gateway publishes a copy of its last birth for people, retained."""
    return f"{ROOT}/{gateway}/birth"


def online_topic(shard: str) -> str:
    """Where an ingest shard says that it is there, retained; also its will."""
    return f"{ROOT}/ingest/{shard}/online"


def gateway_of(topic: str) -> GatewayId | None:
    """Tell which gateway a log, ack, status or birth topic belongs to; None when it is not such a topic."""
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT or parts[4] not in {"log", "ack", "status", "birth"}:
        return None
    try:
        return GatewayId(parts[2], parts[3])
    except ValueError:
        return None

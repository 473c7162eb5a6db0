"""What to send to somebody who helps from afar: versions, configuration, plan, readings; no keys and no passwords."""

import platform
import sqlite3
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gateway.check import Verdict, claim_as_json, reading_as_json
from gateway.config import GatewaySettings
from gateway.layout import lay_out
from gateway.maps import load_map
from gateway.replan import learned_cuts
from gateway.survey import Survey

REDACTED = "(left out)"
_SECRET = frozenset({"key_file", "password_file", "username", "cert_file", "ca_file"})
"""Paths of keys are left out too: they tell where to look."""
_PACKAGES = ("sakugen", "pymodbus", "paho-mqtt", "pydantic", "cryptography")
_COUNTS = {
    "streams": "SELECT COUNT(*) FROM stream",
    "pending_slots": "SELECT COUNT(*) FROM pending",
    "records": "SELECT COUNT(*) FROM record",
    "unacknowledged_records": "SELECT COUNT(*) FROM record WHERE acked = 0",
}


def dump(settings: GatewaySettings, survey: Survey, verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Gather everything that helps.

    Args:
        settings: what was configured.
        survey: what was read just now.
        verdicts: what came of the comparison.
    """
    cuts = learned_cuts(settings)
    laid = lay_out(settings, cuts)
    maps = {device.name: load_map(device.map).digest for device in settings.device}
    return {
        "type": "sakugen.dump/1",
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
        "configuration": redact(settings.model_dump(mode="json")),
        "device_maps": maps,
        "plan": {
            part.group.name: [[block.function, block.address, block.count] for block in part.group.blocks]
            for part in laid
        },
        "refused": {name: sorted(found) for name, found in cuts.items()},
        "outbox": _outbox(settings.data_dir / "outbox.sqlite"),
        "readings": [reading_as_json(seen) for seen in survey.readings],
        "claims": [claim_as_json(claim) for claim in survey.claims],
        "verdicts": [{"subject": one.subject, "ok": one.ok, "what": one.what} for one in verdicts],
    }


def redact(value: object) -> object:
    """Leave out what is secret or leads to a secret.

    Args:
        value: parts of a configuration as JSON has them.
    """
    if isinstance(value, dict):
        return {key: REDACTED if key in _SECRET and part is not None else redact(part) for key, part in value.items()}
    return [redact(part) for part in value] if isinstance(value, list) else value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _outbox(path: Path) -> dict[str, int] | str:
    """Count what the outbox holds, beside an agent that may be running."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return {name: int(db.execute(query).fetchone()[0]) for name, query in _COUNTS.items()}
        finally:
            db.close()
    except sqlite3.Error as error:
        return f"not read: {error}"

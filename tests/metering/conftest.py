"""A signer that is always the same, and good records to change one thing of."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings

from metering import record
from metering.devicemap import parse_device_map
from metering.note import Signer

# The same examples every time; how long one takes says more about the machine than about us.
settings.register_profile("sakugen", deadline=None, derandomize=True)
settings.load_profile("sakugen")

GOLDEN = Path(__file__).parents[1] / "golden"
ROOT = Path(__file__).parents[2]
STREAM = "01JFV12A70AAAAAAAAAAAAAAAA"


@pytest.fixture(scope="session")
def golden():
    """The folder of golden cases."""
    return GOLDEN


@pytest.fixture(scope="session")
def root():
    """The folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def signer():
    """The key of test-site/gw-1 in these tests."""
    seed = hashlib.sha256(b"tests/metering").digest()
    return Signer("test-site/gw-1", Ed25519PrivateKey.from_private_bytes(seed))


@pytest.fixture
def common():
    """What every record has, for the second record of a stream."""
    return {
        "site": "test-site",
        "gateway": "gw-1",
        "stream": STREAM,
        "seq": 2,
        "prev": "0" * 64,
        "clock": record.ClockPart(state="synchronised", offset_ms=0),
        "mono_ms": 1,
    }


@pytest.fixture
def gap(common):
    """The shortest record there is."""
    return record.Gap(**common, from_ms=1, to_ms=2, group=None, reason="agent-down")


@pytest.fixture(scope="session")
def golden_record(golden):
    """`golden_record("birth")` reads a golden record."""

    def read(case):
        return record.parse((golden / "record-1" / case / "record.note").read_bytes())

    return read


REGISTER = """
[[register]]
name = "it"
measurand = "{measurand}"
function = 3
address = 0
type = "{type}"
{more}
"""
MAP = """
schema = "sakugen.devicemap/1"
make = "Example Meters"
model = "EX-1"
tier = "unverified"
[[source]]
title = "none"
read = "nothing"
"""


@pytest.fixture(scope="session")
def register():
    """`register("u32", 'scale = "0.1"')` makes one register the way a device map does."""

    def make(word_type, more="", measurand="energy_export_total_wh"):
        text = MAP + REGISTER.format(type=word_type, measurand=measurand, more=more)
        return parse_device_map(text).registers[0]

    return make

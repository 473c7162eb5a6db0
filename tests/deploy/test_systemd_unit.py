"""The unit that runs a gateway on a box: it notifies, restarts, and can write to one folder only."""

from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "sakugen-gateway@.service"


@pytest.fixture
def service() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    section = UNIT.read_text().split("[Service]")[1].split("[Install]")[0]
    for line in section.splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_the_service_manager_hears_it_and_restarts_it_whatever_happened(service):
    assert service["Type"] == ["notify"]
    assert service["Restart"] == ["always"]
    assert int(service["WatchdogSec"][0]) > 60, "a line of devices that time out in turn is not a hang"
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_it_can_write_to_one_folder_and_gain_no_rights(service):
    assert service["ReadOnlyPaths"] == ["/"]
    assert service["StateDirectory"] == ["sakugen/%i"]
    assert not {"ReadWritePaths", "CacheDirectory", "LogsDirectory", "RuntimeDirectory"} & set(service)
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["CapabilityBoundingSet"] == [""]


def test_it_may_still_ask_whether_the_clock_is_synchronised(service):
    assert "ProtectClock" not in service
    assert "adjtimex" in service["SystemCallFilter"][0]

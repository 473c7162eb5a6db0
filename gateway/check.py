"""What a checked configuration will do, in words: for `sakugen config check` and `sakugen gateway plan`."""

from gateway.birth import poll_groups
from gateway.config import GatewaySettings
from gateway.maps import load_map

_PROTOCOLS = {4: "3.1.1", 5: "5"}


def describe(settings: GatewaySettings) -> list[str]:
    """Say what a gateway will poll, with which requests; one line each, nothing is connected.

    Args:
        settings: a checked configuration.
    """
    lines = [
        f"gateway {settings.gateway_id}, project {settings.project}, mode {settings.mode}",
        f"broker {settings.broker.host}:{settings.broker.port}, MQTT {_PROTOCOLS[settings.broker.protocol]}",
    ]
    for device in settings.device:
        tier = load_map(device.map).tier
        lines.append(f"device {device.name}: {device.map} ({tier}), {device.host}:{device.port} unit {device.unit_id}")
        for group in poll_groups(device):
            requests = ", ".join(f"function {b.function} address {b.address} count {b.count}" for b in group.blocks)
            lines.append(
                f"  {group.name}: every {group.interval_ms // 1000} s, {len(group.registers)} readings; {requests}"
            )
    return lines

"""A register of a device map of one register."""

from metering.devicemap import Register, parse_device_map

_MAP = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "Meter"
tier = "bench"
[[source]]
title = "datasheet"
read = "the manual"
[[register]]
name = "value"
measurand = "{measurand}"
function = 3
address = {address}
type = "{kind}"
{more}
"""


def register_of(measurand: str, kind: str, more: str = "", *, address: int = 0) -> Register:
    """Parse a map whose only register is of that type, with more lines about it."""
    text = _MAP.format(measurand=measurand, address=address, kind=kind, more=more)
    return parse_device_map(text).registers[0]

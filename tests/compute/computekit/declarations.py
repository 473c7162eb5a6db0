"""Declared values as files: a text of each kind, and what a test changes in it."""

import re

from computekit.records import Shown, map_text

DECLARED_HEAD = """\
schema = "sakugen.declared/1"
kind = "{kind}"
project = "test"
id = "{id}"
who = "A. Person, plant manager"
when = 2026-01-05T09:00:00+08:00
option = "C"
{replaces}"""
DECLARED_SOURCE = """
[source]
title = "log book"
date = 2026-01-01
page = "12"
"""
TEST_METER = 'meter = { make = "Test", model = "Meter", serial = "S1" }\n'
DECLARED_BODIES = {
    "value": """\
what = "count"
parameter = "opening days"
from = 2025-12-01
to = 2026-01-01
value = "12"
unit = "d"
""",
    "register-reading": f"""\
point = "bus"
{TEST_METER}measurand = "energy_export_total_wh"
at = 2026-01-01T12:00:00+08:00
value = "5000000"
unit = "Wh"
resolution = "1000"
""",
    "meter-exchange": """\
point = "bus"
removed = { make = "Test", model = "Meter", serial = "S1" }
removed_at = 2026-01-01T09:00:00+08:00
installed = { make = "Test", model = "Meter", serial = "S2", accuracy_class = "0.5S" }
installed_at = 2026-01-01T10:00:00+08:00

[[register]]
measurand = "energy_export_total_wh"
closing = "5000000"
opening = "0"
unit = "Wh"
resolution = "0.001"
""",
    "ct-change": """\
point = "bus"
from = 2025-12-31T00:00:00+08:00
until = 2026-01-01T00:00:00+08:00
ratio_in_meter = "100"
ratio_in_place = "80"
""",
    "remap": """\
point = "bus"
map = "{map}"
from = 2025-12-31T00:00:00+08:00
until = 2026-01-01T00:00:00+08:00
reason = "the words are in the other order"
replacement = '''
{replacement}'''
""",
    "calibration": f"""\
point = "bus"
{TEST_METER}certificate = "C-2"
date = 2025-06-01
valid_until = 2028-06-01
mpe_percent = "0.5"
found_error_percent = "0.7"
""",
    "integrity-check": f"""\
point = "bus"
{TEST_METER}at = 2026-01-01T12:00:00+08:00
passed = true
""",
}


def declaration_text(
    kind: str, *, number: int = 1, name: str | None = None, replaces: str | None = None, **changes: str
) -> tuple[str, bytes]:
    """The name and the bytes of a declared value; a change is a key and what stands behind its equals sign."""
    body = DECLARED_BODIES[kind]
    if kind == "remap":
        spare = map_text(Shown("bus", "energy_export_total_wh", {}))
        body = body.format(map="0" * 64, replacement=changes.pop("replacement", spare))
    head = DECLARED_HEAD.format(
        kind=kind, id=name or f"{kind}-{number}", replaces=f'replaces = "{replaces}"\n' if replaces else ""
    )
    plain, table, rest = body.partition("\n[[register]]") if kind == "meter-exchange" else (body, "", "")
    text = head + plain + DECLARED_SOURCE + table + rest
    for key, value in changes.items():
        text, found = re.subn(
            rf"^{key.removesuffix('_')} = .*$", f"{key.removesuffix('_')} = {value}", text, flags=re.MULTILINE
        )
        assert found, key
    return f"{number:04}-{kind}-test.toml", text.encode()

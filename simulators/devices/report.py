"""In: every device. Out: docs/simulated-devices.md: what each does beyond its registers, and where that is written.

Made anew by `python -m simulators.devices.report > docs/simulated-devices.md`.
"""

import math
import sys
from collections.abc import Iterable

from simulators.devices.catalogue import CATALOGUE
from simulators.devices.table import COUNTER, Row, Sheet, Source

_HEAD = """# Simulated devices

What each simulated device does beyond its registers. This page is made by `python -m simulators.devices.report`;
`tests/simulators/test_device_facts.py` makes it again and compares. A number in brackets is that of a source below;
with a star it is about another model of the same family, and unverified for this one.

Where nothing is written, no source is known, and the device does what is usual, **unverified**: it gives up to 125
registers a request, the most that the protocol allows; it answers at once; a counter that is full stays at its end;
and a step back takes 600 s from it. Exception 3 stands where a source names no code: it is the protocol's.

The fault `rollover` is for devices of which it is known where counters wrap. `step-back` without an amount takes what
a device counted since it last saved, where it is known how often it does.

| device | counters | wrap at | registers a request | answers after | saves every |
| --- | --- | --- | --- | --- | --- |
"""


def render() -> str:
    """The whole page."""
    sheets = {name: device.sheet for name, device in CATALOGUE.items()}
    numbers = {text: number for number, text in enumerate(sorted(_texts(sheets.values())), start=1)}
    rows = "\n".join(_row(name, sheet, numbers) for name, sheet in sheets.items())
    sources = "\n".join(f"{number}. {text}." for text, number in numbers.items())
    return f"{_HEAD}{rows}\n\n## Sources\n\n{sources}\n"


def _sources(sheet: Sheet) -> tuple[Source, ...]:
    return sheet.wraps_source, sheet.most_source, sheet.response_source, sheet.saves_source


def _texts(sheets: Iterable[Sheet]) -> set[str]:
    return {source.text for sheet in sheets for source in _sources(sheet) if source.text}


def _row(name: str, sheet: Sheet, numbers: dict[str, int]) -> str:
    def cited(text: str, source: Source) -> str:
        return f"{text} [{numbers[source.text]}{'*' if source.of_a_sister else ''}]" if source.text else ""

    counters = [row for row in sheet.rows if COUNTER in row.shows]
    cells = (
        name,
        ", ".join(dict.fromkeys(map(_counter, counters))),
        cited(", ".join(dict.fromkeys(_modulus(row) for row in counters if row.modulus)), sheet.wraps_source),
        cited(f"{sheet.most_registers}, else exception {sheet.too_many}", sheet.most_source),
        cited(f"{sheet.response_s * 1000:g} ms", sheet.response_source),
        cited(f"{sheet.saves_every_s or 0:g} s", sheet.saves_source),
    )
    return f"| {' | '.join(cells)} |"


def _counter(row: Row) -> str:
    return f"{row.type} × {row.step:g} {_unit(row)}"


def _modulus(row: Row) -> str:
    exact = row.modulus or 1
    base = 2 if math.log2(exact).is_integer() else 10
    return f"{base}^{round(math.log(exact, base))} × {row.step:g} {_unit(row)}"


def _unit(row: Row) -> str:
    unit = row.shows.rpartition("_")[2]
    return {"wh": "Wh", "j": "J", "nm3": "Nm3", "l": "L"}.get(unit, unit)


if __name__ == "__main__":
    sys.stdout.write(render())

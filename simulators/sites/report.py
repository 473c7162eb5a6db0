"""In: the ready sites. Out: docs/sites.md, made anew by `python -m simulators.sites.report > docs/sites.md`."""

import sys
from collections.abc import Iterator

from simulators.sites.ready import READY
from simulators.sites.shape import ReadySite, Result

SEED = "1"
START_MS, END_MS = 1_735_689_600_000, 1_767_225_600_000
"""The year 2025, in UTC."""
TOLERANCE = 0.15

_HEAD = """# Ready sites

Plants of the simulators, after projects of the programme, and what each saves in the simulated year 2025 (seed 1). This
page is made by `python -m simulators.sites.report`; `tests/simulators/test_ready_sites.py` makes it again and compares.
To have one on a line, give its name as `ready` in the `[[plants]]` table of the simulators, beside its kind of plant.

What goes in was published (size, factors) or is the plant's own parameter, in the plant's file with its source;
climates (`simulators/plants/places.py`) are monthly normals from memory. No constant was adjusted to meet an
expectation. Where size, factors and expectation were all read in a source (marks V and S), the ratio is within ±15 %;
elsewhere the note says what makes the difference. Marks: V read in the source, S stated in the programme's papers, D
derived by the arithmetic shown, M from memory and not checked.

| site | simulated [tCO2] | published [tCO2] | ratio |
| --- | --- | --- | --- |
"""


def row(name: str, site: ReadySite, result: Result) -> str:
    """One line of the table."""
    if site.expected is None:
        return f"| [{name}](#{name}) | {result.reduction_tco2:,.0f} | none found | |"
    ratio = f"{ratio_of(site, result):.2f}{' (verified)' if site.is_verified() else ''}"
    return f"| [{name}](#{name}) | {result.reduction_tco2:,.0f} | {site.expected.reduction_tco2:,.0f} | {ratio} |"


def ratio_of(site: ReadySite, result: Result) -> float:
    """Simulated by published; only where something was published."""
    if site.expected is None:
        raise ValueError(f"nothing was published about {site.title}")
    return result.reduction_tco2 / site.expected.reduction_tco2


def section(name: str, site: ReadySite, result: Result) -> str:
    """What stands behind one line."""
    return "\n".join(_section(name, site, result))


def _section(name: str, site: ReadySite, result: Result) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield f'{site.title}, {site.country}; `plant = "{site.plant}"`. Size: {site.size} [{site.size_mark}].'
    yield f"Simulated: {result.amounts}."
    if site.expected is not None:
        expected = site.expected
        yield f"Published: {expected.reduction_tco2:,.0f} tCO2 a year ({expected.source}) [{expected.mark}]."
    yield ""
    yield "| factor | value | unit | source | mark |"
    yield "| --- | --- | --- | --- | --- |"
    for symbol, factor in site.factors.items():
        yield f"| {symbol} | {factor.value:g} | {factor.unit} | {factor.source} | {factor.mark} |"
    yield ""
    yield site.note
    yield ""


def render() -> str:
    """The whole page."""
    results = {name: site.simulate(SEED, START_MS, END_MS) for name, site in READY.items()}
    rows = [row(name, site, results[name]) for name, site in READY.items()]
    sections = [section(name, site, results[name]) for name, site in READY.items()]
    return _HEAD + "\n".join(rows) + "\n\n" + "\n".join(sections)


if __name__ == "__main__":
    sys.stdout.write(render())

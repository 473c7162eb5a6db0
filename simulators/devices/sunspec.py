"""Chains of SunSpec models in holding registers: the marker at 40000, the common model, others, the end model.

A model is data: rows, scale factors and words that never change, with addresses that count from its id register.
`sunspec_models` has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulators.devices.table import Fixed, Row, Sheet, Source, Text

BASE = 40_000
FIRST = 40_070
"""Where the first model after the common one has its id register."""
_MAKE = "Sakugen"
_COMMON = BASE + 2
_NO_S16 = 0x8000
ACC32_SOURCE = Source("SunSpec, information model specification: acc32, before its scale factor")


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a chain; addresses count from its id register."""

    number: int
    length: int
    """What its length register says: without id and length [registers]."""
    rows: tuple[Row, ...]
    """The step of a row with a scale factor is 1; `scaled` says which factor it has."""
    factors: Mapping[int, int] | None = None
    """Exponent of each scale factor register."""
    scaled: Mapping[int, int] | None = None
    """Address of a value to the address of its scale factor."""
    fixed: tuple[Fixed, ...] = ()


def sunspec_chain(name: str, *models: Model) -> Sheet:
    """A device that has the common model and these.

    Args:
        name: what its common model gives as the model.
        models: in the order in which they stand.
    """
    return replace(_chain(name, models, 0), coarser=_chain(name, models, 1))


def _chain(name: str, models: tuple[Model, ...], coarser: int) -> Sheet:
    rows: list[Row] = []
    fixed = [Fixed(BASE, (0x5375, 0x6E53)), Fixed(_COMMON, (1, 66)), Fixed(_COMMON + 66, (1, _NO_S16))]
    place = FIRST
    for model in models:
        factors = {at: exponent + coarser for at, exponent in (model.factors or {}).items()}
        scaled = model.scaled or {}
        fixed.append(Fixed(place, (model.number, model.length)))
        fixed.extend(Fixed(place + at, (exponent % 2**16,)) for at, exponent in factors.items())
        fixed.extend(Fixed(place + part.address, part.words) for part in model.fixed)
        for row in model.rows:
            exponent = factors[scaled[row.address]] if row.address in scaled else 0
            rows.append(replace(row, address=place + row.address, step=row.step * 10.0**exponent))
        place += 2 + model.length
    fixed.append(Fixed(place, (0xFFFF, 0)))
    texts = (
        Text(_COMMON + 2, 16, _MAKE),
        Text(_COMMON + 18, 16, name),
        Text(_COMMON + 34, 8, ""),
        Text(_COMMON + 42, 8, "1.0.0"),
        Text(_COMMON + 50, 16, "{serial}"),
    )
    wraps_source = ACC32_SOURCE if any(row.modulus for row in rows) else Source()
    return Sheet(
        make=_MAKE,
        model=name,
        function=3,
        rows=tuple(rows),
        fixed=tuple(fixed),
        texts=texts,
        wraps_source=wraps_source,
    )

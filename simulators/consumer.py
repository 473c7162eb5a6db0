"""In: the ledger, and what any consumer says it read. Out: what it lost, doubled, mistook or dated wrong.

A consumer's export, CSV or Parquet, has one row a value: `time` (ISO 8601 with its offset, or milliseconds since 1970),
`device`, `measurand` (the names of `metering.measurands`) and `value` in the measurand's unit. What a device served is
worked out from the words in the ledger by the very table that made them.
"""

import csv
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from simulators.devices.table import Sheet, decoded, words_of
from simulators.errors import ExportError
from simulators.ledger import ServedAnswer

COLUMNS = ("time", "device", "measurand", "value")
_RELATIVE = 1e-6
"""How far a value may be from the served one; a float32 has 24 binary digits, and exports round."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value, served or told."""

    at_ms: int
    """[ms since the Unix epoch]"""
    device: str
    measurand: str
    value: float
    """[the measurand's unit]"""


@dataclass(frozen=True, slots=True)
class ConsumerScore:
    """What became of what was served."""

    served: int
    told: int
    right: int
    lost: tuple[Value, ...]
    """Served, and told by nobody."""
    doubled: tuple[Value, ...]
    """Told twice for one answer."""
    wrong: tuple[Value, ...]
    """Told, and never served near that time."""
    late: tuple[Value, ...]
    """Right, but dated further from the answer than allowed."""
    counters: Mapping[tuple[str, str], tuple[float, float]]
    """Device and counter: what it gained as served, and as told [the measurand's unit]."""

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, doubled, wrong or late."""
        return not (self.lost or self.doubled or self.wrong or self.late)

    def error_tco2(self, factor_tco2_per_mwh: float) -> float:
        """What the differences of electricity counters are in tonnes; more than 0 = too many [tCO2].

        Args:
            factor_tco2_per_mwh: what a MWh stands for [tCO2/MWh].
        """
        wh = [told - served for (_, name), (served, told) in self.counters.items() if name.endswith("_total_wh")]
        return sum(wh) / 1e6 * factor_tco2_per_mwh


def served_values(answers: Iterable[ServedAnswer], sheets: Mapping[tuple[str, str], Sheet]) -> Iterator[Value]:
    """Everything that was served, value by value.

    Args:
        answers: of the ledger.
        sheets: by project and device.
    """
    for answer in answers:
        sheet = sheets.get((answer.project, answer.device))
        if sheet is None:
            continue
        words = np.frombuffer(answer.words, ">u2")
        for row in sheet.rows:
            first = row.address - answer.address
            if row.shows and first >= 0 and first + words_of(row) <= len(words):
                number = decoded(row, words[first : first + words_of(row)])
                if number is not None:
                    yield Value(answer.served_ms, answer.device, row.shows, number)


def read_export(path: Path) -> list[Value]:
    """Read what a consumer says.

    Raises:
        ExportError: with file, line and what is missing.
    """
    rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    return [_value(path, number, row) for number, row in rows]


def _csv(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            _refuse_columns(path, reader.fieldnames or ())
            yield from enumerate(reader, start=2)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ExportError(f"{path}: {error}") from None


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        from pyarrow import parquet  # noqa: PLC0415 - only whoever has such a file needs it
    except ImportError:
        raise ExportError(f"{path}: reading Parquet needs pyarrow: pip install pyarrow, or export CSV") from None
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise ExportError(f"{path}: {error}") from None
    _refuse_columns(path, table.column_names)
    yield from enumerate(table.select(list(COLUMNS)).to_pylist(), start=1)


def _refuse_columns(path: Path, names: Sequence[str]) -> None:
    if missing := [name for name in COLUMNS if name not in names]:
        raise ExportError(f"{path}: no column {missing[0]!r}; needed: {', '.join(COLUMNS)}; found: {', '.join(names)}")


def _value(path: Path, number: int, row: Mapping[str, object]) -> Value:
    try:
        return Value(_instant_ms(row["time"]), str(row["device"]), str(row["measurand"]), float(str(row["value"])))
    except ValueError as error:
        raise ExportError(f"{path}:{number}: {error}") from None


def _instant_ms(told: object) -> int:
    if isinstance(told, datetime):
        moment = told
    elif str(told).lstrip("-").isdigit():
        return int(str(told))
    else:
        try:
            moment = datetime.fromisoformat(str(told))
        except ValueError:
            raise ValueError(f"time {told!r} is neither ISO 8601 nor milliseconds since 1970") from None
    if moment.tzinfo is None:
        raise ValueError(f"time {told} has no offset from UTC")
    return round(moment.timestamp() * 1000)


def write_served(values: Iterable[Value], path: Path) -> int:
    """Write what was served in the form of a consumer's export; tells how many values there were.

    Raises:
        ExportError: when the file cannot be written.
    """
    rows = [(value.at_ms, value.device, value.measurand, value.value) for value in values]
    try:
        if path.suffix == ".parquet":
            from pyarrow import parquet, table  # noqa: PLC0415 - only whoever wants such a file needs it

            parquet.write_table(table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)) if rows else {}), path)
        else:
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([COLUMNS, *rows])
    except ImportError:
        raise ExportError(f"{path}: writing Parquet needs pyarrow: pip install pyarrow, or write CSV") from None
    except OSError as error:
        raise ExportError(f"{path}: {error}") from None
    return len(rows)


def score_of(
    served: Iterable[Value], told: Iterable[Value], *, near_ms: int = 60_000, late_after_ms: int = 5_000
) -> ConsumerScore:
    """Compare what a consumer says with what was served.

    Args:
        served: see `served_values`; measurands that the consumer never tells are left out.
        told: see `read_export`.
        near_ms: how far a row may be dated from the answer that it is of [ms].
        late_after_ms: how far it may be dated from it and still be right [ms].
    """
    rows = sorted(told, key=_order)
    asked = {(row.device, row.measurand) for row in rows}
    answers: dict[tuple[str, str], list[Value]] = defaultdict(list)
    for value in sorted(served, key=_order):
        if (value.device, value.measurand) in asked:
            answers[value.device, value.measurand].append(value)
    used: set[int] = set()
    doubled: list[Value] = []
    wrong: list[Value] = []
    late: list[Value] = []
    right: list[Value] = []
    for row in rows:
        fitting = _fitting(answers[row.device, row.measurand], row, near_ms)
        free = [each for each in fitting if id(each) not in used]
        if not free:
            (doubled if fitting else wrong).append(row)
            continue
        best = min(free, key=lambda each: abs(each.at_ms - row.at_ms))
        used.add(id(best))
        (late if abs(best.at_ms - row.at_ms) > late_after_ms else right).append(row)
    everything = [value for series in answers.values() for value in series]
    return ConsumerScore(
        served=len(everything),
        told=len(rows),
        right=len(right),
        lost=tuple(value for value in everything if id(value) not in used),
        doubled=tuple(doubled),
        wrong=tuple(wrong),
        late=tuple(late),
        counters={
            key: (_gained(series), _gained(_of(rows, key))) for key, series in answers.items() if "_total_" in key[1]
        },
    )


def _order(value: Value) -> tuple[int, str, str, float]:
    return value.at_ms, value.device, value.measurand, value.value


def _fitting(served: list[Value], row: Value, near_ms: int) -> list[Value]:
    first = bisect_left(served, row.at_ms - near_ms, key=lambda each: each.at_ms)
    last = bisect_left(served, row.at_ms + near_ms + 1, key=lambda each: each.at_ms)
    close = _RELATIVE * max(1.0, abs(row.value))
    return [each for each in served[first:last] if abs(each.value - row.value) <= close]


def _of(rows: Sequence[Value], key: tuple[str, str]) -> list[Value]:
    return [row for row in rows if (row.device, row.measurand) == key]


def _gained(series: Sequence[Value]) -> float:
    return series[-1].value - series[0].value if series else 0.0

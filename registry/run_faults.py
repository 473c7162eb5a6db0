"""The runs that a statement lists and those of a bundle in, every missing or extra stream, run and record out."""

from collections.abc import Iterable, Mapping, Sequence

from registry.canonical import JsonValue
from registry.evidence import Run

Spans = list[tuple[int, int]]


def run_faults(stated: JsonValue, found: Sequence[JsonValue], runs: Sequence[Run]) -> list[str]:
    """Compare lists of runs.

    Args:
        stated: what the statement lists.
        found: the same list, made from the bundle's records.
        runs: the bundle's runs.

    Returns:
        One sentence for each thing that differs, naming the stream and the record.
    """
    if not isinstance(stated, list) or not all(_is_run(run) for run in stated):
        return ["/evidence/runs: not a list of runs"]
    faults = _record_faults(_stated_spans(stated), _found_spans(runs))
    found_by = {_key(run): run for run in found}
    for index, run in enumerate(stated):
        twin = found_by.pop(_key(run), None)
        if twin is None:
            faults.append(f"/evidence/runs/{index}: {_said(run)} is not in the bundle as such")
        elif twin != run:
            faults.append(f"/evidence/runs/{index}: stated {_said(run)}, found {_said(twin)}")
    faults += [
        f"{_said(run)} is in the bundle, and the statement does not list it as such" for run in found_by.values()
    ]
    if not faults and stated != list(found):
        faults.append("/evidence/runs: listed in another order, or one is listed twice")
    return faults


def _is_run(run: JsonValue) -> bool:
    return isinstance(run, dict) and all(
        isinstance(run.get(name), kind)
        for name, kind in (
            ("stream", str),
            ("first_seq", int),
            ("last_seq", int),
            ("records", int),
            ("first_digest", str),
            ("last_digest", str),
        )
    )


def _field(run: JsonValue, name: str) -> JsonValue:
    return run.get(name) if isinstance(run, dict) else None


def _number(run: JsonValue, name: str) -> int:
    value = _field(run, name)
    return value if isinstance(value, int) else 0


def _key(run: JsonValue) -> tuple[str, str, int, str]:
    # Two runs of one stream may begin at one number: horizons all do, and a record with what was put in its place.
    gateway, stream, digest = (str(_field(run, name)) for name in ("gateway", "stream", "first_digest"))
    return gateway, stream, _number(run, "first_seq"), digest


def _said(run: JsonValue) -> str:
    first, last = _field(run, "first_seq"), _field(run, "last_seq")
    return (
        f"the run of {_field(run, 'records')} records of stream {_field(run, 'stream')} "
        f"from {first} ({_short(run, 'first_digest')}) to {last} ({_short(run, 'last_digest')})"
    )


def _short(run: JsonValue, name: str) -> str:
    return str(_field(run, name))[:16]


def _stated_spans(stated: Iterable[JsonValue]) -> dict[str, Spans]:
    spans: dict[str, Spans] = {}
    for run in stated:
        spans.setdefault(str(_field(run, "stream")), []).append((_number(run, "first_seq"), _number(run, "last_seq")))
    return spans


def _found_spans(runs: Iterable[Run]) -> dict[str, Spans]:
    spans: dict[str, Spans] = {}
    for run in runs:
        spans.setdefault(run[0].record.stream, []).append((run[0].record.seq, run[-1].last_seq))
    return spans


def _record_faults(stated: Mapping[str, Spans], found: Mapping[str, Spans]) -> list[str]:
    faults = []
    for stream in sorted(stated.keys() | found.keys()):
        if stream not in found:
            faults.append(f"stream {stream} is missing: the statement lists it, the bundle has no record of it")
        elif stream not in stated:
            faults.append(f"stream {stream} is extra: the bundle has it, the statement does not list it")
        else:
            faults += [f"stream {stream} {_range(span)} missing" for span in _beyond(stated[stream], found[stream])]
            faults += [f"stream {stream} {_range(span)} extra" for span in _beyond(found[stream], stated[stream])]
    return faults


def _range(span: tuple[int, int]) -> str:
    first, last = span
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _beyond(spans: Spans, others: Spans) -> Spans:
    """The sequence numbers of `spans` that lie in none of `others`, as spans."""
    left: Spans = []
    for start, end in spans:
        at = start
        for first, last in sorted(others):
            if last < at or first > end:
                continue
            if first > at:
                left.append((at, first - 1))
            at = max(at, last + 1)
        if at <= end:
            left.append((at, end))
    return left

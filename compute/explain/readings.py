"""One reading down to its register words: device map, register, words, and the signed records that carry them.

In: a row of a series. Out: a step. The words are decoded again beside the value that was computed with, so that both
can be seen to be the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compute.declared import Declared, MeterExchange, RegisterReading
from compute.explain.records import Asked, Telling
from compute.explain.step import Fact, Made, Rule, Step, number_text
from compute.pairs import Pair
from compute.project import ProjectSettings
from compute.sources import Believed, frozen_rows, impossible_rows, undeclared_rows
from ingest.store.readings import Evidence
from ingest.store.series import Binding, Series
from metering.clock import utc_text
from metering.measurands import measurand
from metering.quality import Quality

_DECODED = Rule("the words in the map's order, times the scale, to the nearest whole quantum, once", "contracts 1")
_GIVEN = Rule("a reading without register words is taken as it was given", "contracts 3")
_READ_BY_PEOPLE = Rule("somebody read it from the display of the meter and declared it", "contracts 5")
_CHANGED = Rule(
    "not what the words say: a declared value changed it, see the findings; else the record is wrong", "contracts 5"
)
_NONE = Rule("a reading that does not count is left out; the pair around it only gets longer", "contracts 3")
_SIGNED = Rule("the record is signed by its gateway and names the digest of the one before it", "contracts 2")


@dataclass(frozen=True, slots=True)
class Told:
    """Where readings come from."""

    project: ProjectSettings
    evidence: Evidence
    records: Mapping[Asked, tuple[Telling, ...]]
    declared: tuple[Declared, ...] = ()


def why_not(told: Told, series: Series, row: int, believed: Believed) -> str | None:
    """Say why a reading does not count; None when it does."""
    quality = Quality(int(series.quality[row]))
    if quality is not Quality.OK:
        return f"its quality is {quality.label}"
    if not series.synced[row]:
        return "the gateway's clock was not synchronised"
    if undeclared_rows(told.project, series)[row]:
        seen = series.bound(row).meter
        return f"meter {seen.make} {seen.model} {seen.serial} is not declared for this point then"
    if impossible_rows(series, believed)[row]:
        return "its value cannot be"
    if frozen_rows(series, believed.frozen)[row]:
        return "it repeats the ones before to the last digit for too long"
    return None


def reading_step(told: Told, series: Series, row: int, believed: Believed) -> Step:
    """Explain one reading."""
    slot_ms = int(series.time_ms[row])
    valued = bool(series.valued[row])
    value = int(series.value[row])
    reason = why_not(told, series, row, believed)
    raw = series.raw(row)
    declared = tuple(_declared(told, series.point, slot_ms)) if raw is None and valued else ()
    rule, made = _READ_BY_PEOPLE if declared else _GIVEN, Made.GIVEN
    if raw is not None and valued:
        is_decoded = series.decoded_again(row) == value
        rule, made = (_DECODED, Made.DECODED) if is_decoded else (_CHANGED, Made.GIVEN)
    if not valued:
        rule = _NONE
    facts = (
        Fact("slot_utc", utc_text(slot_ms)),
        Fact("request_utc", utc_text(int(series.sent_ms[row]))),
        Fact("answer_utc", utc_text(int(series.received_ms[row]))),
        Fact("quality", Quality(int(series.quality[row])).label),
        Fact("clock", "synchronised" if series.synced[row] else "not synchronised"),
        Fact("counts", "yes" if reason is None else f"no: {reason}"),
        *_words(series, row),
        *_register(series.bound(row)),
        *_map(told.evidence, series.bound(row)),
    )
    records = told.records.get((series.point, series.measurand, slot_ms), ())
    return Step(
        "reading",
        f"{series.point} {series.measurand} {utc_text(slot_ms)}",
        rule,
        made,
        Pair(value, value) if valued else None,
        measurand(series.measurand).quantum,
        facts,
        (*(_record_step(telling, series.measurand) for telling in records), *declared),
    )


def _declared(told: Told, point: str, slot_ms: int) -> Iterator[Step]:
    # What somebody read stands at the second that was noted, or a few milliseconds behind it.
    for one in told.declared:
        body = one.body
        if isinstance(body, RegisterReading):
            instants = [body.at]
        elif isinstance(body, MeterExchange):
            instants = [body.removed_at, body.installed_at]
        else:
            continue
        if body.point == point and slot_ms // 1000 in {int(at.timestamp()) for at in instants}:
            source = body.source
            facts = (
                Fact("file", one.file),
                Fact("sha256", one.digest),
                Fact("who", body.who),
                Fact("when", body.when.isoformat()),
                Fact(
                    "source", ", ".join(part for part in (source.title, source.date.isoformat(), source.page) if part)
                ),
            )
            yield Step("declared", body.id, _READ_BY_PEOPLE, Made.GIVEN, facts=facts)


def _words(series: Series, row: int) -> Iterator[Fact]:
    raw = series.raw(row)
    if raw is None:
        yield Fact("words", "none")
        return
    yield Fact("words", " ".join(f"{word:04x}" for word in raw.words))
    if raw.scale_word is not None:
        yield Fact("scale word", f"{raw.scale_word:04x}")
    again = series.decoded_again(row)
    text = again.label if isinstance(again, Quality) else again
    if text is not None:
        yield Fact("words decode to", text, "" if isinstance(text, str) else measurand(series.measurand).quantum)


def _register(bound: Binding) -> Iterator[Fact]:
    register = bound.register
    order = f"{register.word_order} words first, {register.byte_order} bytes first"
    yield Fact("meter", f"{bound.meter.make} {bound.meter.model} {bound.meter.serial}")
    yield Fact("device", f"{bound.device}, unit {bound.unit_id}, poll group {bound.group}")
    yield Fact("register", register.name)
    yield Fact("function and address", f"{register.function} {register.address}")
    yield Fact("type", f"{register.type.value}, {register.words} words, {order}")
    yield Fact("scale", register.scale, register.measurand.unit)
    if register.scale_register is not None:
        yield Fact("scale register", f"{register.function} {register.scale_register.address}")
    if register.modulus is not None:
        yield Fact("modulus", f"{register.modulus} register steps")
    if register.reset_source is not None:
        yield Fact("cannot be reset", register.reset_source)


def _map(evidence: Evidence, bound: Binding) -> Iterator[Fact]:
    yield Fact("device map", bound.map_digest)
    device = evidence.maps.get(bound.map_digest)
    if device is None:
        return
    yield Fact("map of", f"{device.make} {device.model}, {device.tier.value}")
    for number, source in enumerate(device.sources, start=1):
        where = ", ".join(part for part in (source.title, source.revision, source.page, source.read) if part)
        yield Fact(f"map source {number}", where)


def _record_step(telling: Telling, measurand_name: str) -> Step:
    quantum = measurand(measurand_name).quantum
    says = telling.quality.label
    if telling.value is not None:
        says = f"{number_text(telling.value)} {quantum}, {says}"
    facts = (
        Fact("gateway", telling.gateway),
        Fact("stream", telling.stream),
        Fact("seq", telling.seq),
        Fact("sha256", telling.digest),
        Fact("says", says),
    )
    value = None if telling.value is None else Pair(telling.value, telling.value)
    name = f"{telling.kind} {telling.stream} {telling.seq}"
    return Step("record", name, _SIGNED, Made.GIVEN, value, quantum, facts)

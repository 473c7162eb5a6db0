"""docs/wire.md is what a stranger builds on: its tables are the code's, its examples are the golden cases."""

import json
import re

import pytest

from metering import ack, note, record, topics
from metering.measurands import MEASURANDS
from metering.quality import VALUED, Quality
from metering.topics import GatewayId

EXAMPLE = re.compile(r"<!-- golden: (\S+) -->\n```(\w+)\n(.*?)```", re.DOTALL)
GATEWAY = GatewayId("site", "gateway")


@pytest.fixture(scope="module")
def text(root):
    return (root / "docs" / "wire.md").read_text(encoding="utf-8")


def section(text, heading):
    """What stands under a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {heading!r}"
    return found[1]


def tables(text):
    """The tables of a text, each a list of rows without the header, each row a list of cells."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in line.strip("|").split("|")] for line in rows.splitlines()[2:]] for rows in found]


def first_column(table):
    return [row[0].strip("`") for row in table]


def fields(model):
    return [field.alias or name for name, field in model.model_fields.items()]


COMMON = [*fields(record.Header), "clock", "mono_ms"]


@pytest.mark.parametrize(
    ("heading", "position", "expected"),
    [
        ("Every record", 0, COMMON),
        ("`birth`", 0, [name for name in fields(record.Birth) if name not in COMMON]),
        ("`birth`", 1, fields(record.GroupPart)),
        ("`readings`", 0, [name for name in fields(record.Readings) if name not in COMMON]),
        ("`readings`", 1, fields(record.GroupReadings)),
        ("`gap`", 0, [name for name in fields(record.Gap) if name not in COMMON]),
        ("`dropped` and `thinned`", 0, [name for name in fields(record.Dropped) if name not in COMMON]),
        ("`horizon`", 0, [name for name in fields(record.Horizon) if name not in COMMON]),
        ("Acks", 0, fields(ack.Ack)),
    ],
)
def test_a_table_of_fields_is_the_model_s(text, heading, position, expected):
    assert first_column(tables(section(text, heading))[position]) == expected


@pytest.mark.parametrize(
    ("model", "heading"),
    [
        (record.ClockPart, "Every record"),
        (record.RecordRef, "`birth`"),
        (record.MeterPart, "`birth`"),
        (record.BlockPart, "`birth`"),
        (record.PointPart, "`birth`"),
        (ack.StreamAck, "Acks"),
        (ack.HeldPart, "Acks"),
    ],
)
def test_the_fields_of_inner_objects_are_named(text, model, heading):
    assert [name for name in fields(model) if f"`{name}`" not in section(text, heading)] == []


def test_the_table_of_measurands_is_the_vocabulary(text):
    (table,) = [table for table in tables(section(text, "What is measured")) if len(table[0]) == 5]
    rows = [[name.strip("`"), kind, unit, quantum.strip("`"), int(per)] for name, kind, unit, quantum, per in table]
    assert rows == [[m.name, m.kind.name, m.unit, m.quantum, m.quanta_per_unit] for m in MEASURANDS.values()]


def test_the_table_of_qualities_is_the_code_s(text):
    (table,) = [table for table in tables(section(text, "What is measured")) if len(table[0]) == 4]
    rows = [(int(code), label.strip("`"), value) for code, label, value, _ in table]
    assert rows == [(int(q), q.label, "kept" if q in VALUED else "null") for q in Quality]


def test_the_table_of_topics_is_the_code_s(text):
    named = first_column(tables(section(text, "Topics"))[0])
    plain = [topic.replace("{site}", "site").replace("{gateway}", "gateway") for topic in named]
    made = [make(GATEWAY) for make in (topics.log_topic, topics.ack_topic, topics.status_topic, topics.birth_topic)]
    assert plain == [*made, topics.online_topic("{shard}")]
    assert f"`{topics.ALL_INGESTS_ONLINE}`" in section(text, "MQTT")


@pytest.mark.parametrize(
    "limit",
    [f"{record.MAX_RECORD_BYTES:,} bytes", record.RECORD_TYPE, ack.ACK_TYPE, f"at most {ack.MAX_HELD}: `stream`"],
)
def test_a_limit_or_type_is_the_code_s(text, limit):
    assert limit in text


def test_every_example_is_a_golden_case_and_can_be_checked(text, golden):
    examples = EXAMPLE.findall(text)
    assert len(examples) == 8
    for name, language, body in examples:
        case = golden / name
        data = next(case.glob("*.note")).read_bytes()
        if language == "json":
            assert json.loads(body) == json.loads((case / "expected.json").read_text())["body"]
        else:
            assert body.encode() == data
        key = (case / "public_key.txt").read_text().strip()
        assert f"```text\n{key}\n```" in text
        note.verify(note.split(data), note.Verifier.parse(key))


def test_there_is_an_example_of_every_kind(text):
    kinds = {kind for _, _, body in EXAMPLE.findall(text) for kind in re.findall(r'"kind": ?"(\w+)"', body)}
    assert kinds == {"birth", "readings", "gap", "dropped", "thinned", "horizon"}


def test_the_example_in_the_readme_runs(root):
    (code,) = re.findall(r"```python\n(.*?)```", (root / "metering" / "README.md").read_text(), re.DOTALL)
    exec(compile(code, "metering/README.md", "exec"), {})

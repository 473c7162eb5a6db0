"""Records fall into chained runs, and what does not fit is named."""

from metering import record
from registry.evidence import (
    Link,
    broken_links,
    chained_runs,
    evidence_root,
    map_texts,
    must_be_signed,
    read_links,
    run_list,
    times,
)
from registry.run_faults import run_faults

START_MS = 1_767_000_000_000 // 3_600_000 * 3_600_000
HOUR_MS = 3_600_000


def _links(records):
    return [Link.of(data) for data in records]


def _shape(runs):
    return [[link.record.seq for link in run] for run in runs]


def test_a_whole_stream_is_one_run_in_whatever_order_it_comes(plant):
    plant.birth()
    plant.days(START_MS, 24)
    links = _links(plant.records)
    assert _shape(chained_runs(links)) == [[1, 2, 3, 4, 5]]
    assert chained_runs(reversed(links)) == chained_runs(links)
    assert broken_links(chained_runs(links)) == []


def test_a_window_leaves_the_birth_and_a_run_of_its_own(plant):
    plant.birth()
    plant.days(START_MS, 24)
    runs = chained_runs(_links([plant.records[0], *plant.records[2:]]))
    assert _shape(runs) == [[1], [3, 4, 5]]
    assert broken_links(runs) == []


def test_records_given_up_are_two_ways_through_the_chain(plant):
    """The journal had 2 and 3 when the outbox gave up 3 and 4: 3 and its substitute both stand."""
    plant.birth()
    plant.days(START_MS, 18)
    plant.instead_of(plant.records[2:4], START_MS, START_MS + 18 * HOUR_MS)
    plant.days(START_MS + 18 * HOUR_MS, 6)
    birth, two, three, _, substitute, five = plant.records
    runs = chained_runs(_links([birth, two, three, substitute, five]))
    assert _shape(runs) == [[1, 2, 3], [3, 5]]
    assert run_list(runs)[1]["first_digest"] == record.digest_of(substitute)
    assert broken_links(runs) == []
    assert _shape([must_be_signed(runs)]) == [[1, 3, 3, 5]]


def test_a_record_and_what_was_put_in_its_place_both_follow_what_was_put_in_place_of_others(plant):
    """The journal had 1 to 5 when the outbox gave up 3 and 4, and then 5 and 6."""
    plant.birth()
    plant.days(START_MS, 30)
    whole = list(plant.records)
    given_up = (whole[2:4], whole[4:6])
    substitutes = [plant.instead_of(lost, START_MS, START_MS + 30 * HOUR_MS) for lost in given_up]
    runs = chained_runs(_links([*whole[:5], *substitutes]))
    assert _shape(runs) == [[1, 2, 3, 4, 5], [3], [5]]
    assert broken_links(runs) == []


def test_a_changed_record_breaks_the_chain_behind_it(plant):
    plant.birth()
    plant.days(START_MS, 24)
    changed = plant.records[2].replace(b'"mono_ms":3', b'"mono_ms":4')
    assert changed != plant.records[2]
    runs = chained_runs(_links([*plant.records[:2], changed, *plant.records[3:]]))
    assert _shape(runs) == [[1, 2, 3], [4, 5]]
    (fault,) = broken_links(runs)
    assert "record 4 (readings) names" in fault
    assert f"record 3 (readings) has digest {record.digest_of(changed)}" in fault


def test_the_root_names_the_list_of_runs(plant):
    plant.birth()
    plant.days(START_MS, 12)
    runs = run_list(chained_runs(_links(plant.records)))
    assert runs == [
        {
            "gateway": "mongolia-farm/gw-solar",
            "stream": plant.stream,
            "first_seq": 1,
            "last_seq": 3,
            "records": 3,
            "first_digest": record.digest_of(plant.records[0]),
            "last_digest": record.digest_of(plant.records[-1]),
        }
    ]
    assert evidence_root(runs) != evidence_root([])
    assert evidence_root([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # sha256sum of "[]"


def test_every_birth_is_signed_for_and_the_middle_of_a_run_is_not(plant):
    plant.birth()
    plant.days(START_MS, 12)
    plant.birth()
    plant.days(START_MS + 12 * HOUR_MS, 12)
    assert _shape([must_be_signed(chained_runs(_links(plant.records)))]) == [[1, 4, 6]]


def test_a_gateway_s_signature_says_nothing_about_another_s_records_before_it(plant):
    plant.birth()
    plant.days(START_MS, 12)
    last = record.parse(plant.records[-1])
    gap = {"kind": "gap", "from_ms": START_MS, "to_ms": START_MS + HOUR_MS, "group": None, "reason": "agent-down"}
    place = {"stream": last.stream, "seq": last.seq + 1, "prev": plant.prev, "clock": last.clock, "mono_ms": 9}
    other = record.build(record.Gap(site=last.site, gateway="gw-z", **place, **gap), plant.signer)
    runs = chained_runs(_links([*plant.records, other]))
    assert _shape(runs) == [[1, 2, 3], [4]]
    assert _shape([must_be_signed(runs)]) == [[1, 3, 4]]
    assert broken_links(runs) == []


def test_two_horizons_of_one_stream_are_two_runs_that_a_list_can_tell_apart(plant):
    plant.birth()
    plant.days(START_MS, 18)
    clock = record.parse(plant.records[0]).clock
    ahead = [
        record.build(
            record.Horizon(
                site="mongolia-farm", gateway="gw-solar", stream=plant.stream, seq=0, prev=None, clock=clock,
                mono_ms=oldest, oldest_seq=oldest, digest_before="f" * 64,
            ),
            plant.signer,
        )
        for oldest in (2, 3)
    ]  # fmt: skip
    runs = chained_runs(_links([*plant.records, *ahead]))
    assert run_faults(run_list(runs), run_list(runs), runs) == []
    assert broken_links(runs) == []


def test_device_maps_come_from_the_births(plant):
    plant.birth()
    plant.days(START_MS, 6)
    assert list(map_texts(_links(plant.records)).values()) == [plant.map_text]


def test_device_maps_are_listed_by_digest_whichever_came_first(plant):
    for model in range(5):
        plant.map_text = plant.map_text.replace("Revenue", f"Revenue {model}")
        plant.birth()
    digests = list(map_texts(_links(plant.records)))
    assert len(digests) == 5
    assert digests == sorted(digests)


def test_a_record_is_judged_by_the_last_instant_it_speaks_of(plant):
    plant.birth()
    plant.days(START_MS, 6)
    plant.gap(START_MS + 6 * HOUR_MS, START_MS + 8 * HOUR_MS)
    links = _links(plant.records)
    at_ms = times(chained_runs(links))
    stream_ms = 1_767_009_600_000  # 2025-12-29T12:00:00Z, when the stream's ULID was drawn
    assert [at_ms[link.digest] for link in links] == [stream_ms, START_MS + 5 * HOUR_MS, START_MS + 8 * HOUR_MS]


def test_the_last_slot_of_any_group_counts_and_a_group_without_slots_says_nothing(plant):
    plant.birth()
    plant.days(START_MS, 6)
    read = record.parse(plant.records[1])
    (group,) = read.groups
    early = group.model_copy(update={"slots": tuple(slot - 9 * HOUR_MS for slot in group.slots)})
    none = record.GroupReadings(group="other/none", slots=(), sent=(), received=(), values=(), raw=(), quality=())
    for groups, last_ms in (((early, group, none), START_MS + 5 * HOUR_MS), ((none,), 1_767_009_600_000)):
        link = Link.of(record.build(read.model_copy(update={"groups": groups}), plant.signer))
        assert times([(link,)])[link.digest] == last_ms


def test_what_is_no_record_is_named_and_the_rest_is_read(plant):
    plant.birth()
    links, faults = read_links([plant.records[0], b"nonsense"], "the file")
    assert len(links) == 1
    assert faults[0].startswith("the file, record no. 2 (")

"""Every missing or extra record is named by its number."""

from registry.evidence import Link, chained_runs, run_list
from registry.run_faults import _beyond, run_faults

START_MS = 1_767_024_000_000


def _runs(plant, seqs):
    return chained_runs(Link.of(plant.records[seq - 1]) for seq in seqs)


def _faults(plant, stated, found):
    runs = _runs(plant, found)
    return run_faults(run_list(_runs(plant, stated)), run_list(runs), runs)


def _plant(plant):
    plant.birth()
    plant.days(START_MS, 60)
    return plant


def test_equal_lists_have_no_fault(plant):
    assert _faults(_plant(plant), range(1, 12), range(1, 12)) == []


def test_a_hole_is_named_by_its_first_and_last_record(plant):
    first, *_ = _faults(_plant(plant), range(1, 12), [1, 2, 3, 7, 8, 9, 10, 11])
    assert first == f"stream {plant.stream} records 4 to 6 are missing"


def test_a_run_that_goes_on_is_extra(plant):
    first, *_ = _faults(_plant(plant), range(1, 9), range(1, 11))
    assert first == f"stream {plant.stream} records 9 to 10 are extra"


def test_the_same_numbers_with_other_bytes_differ_by_digest(plant):
    _plant(plant)
    runs = _runs(plant, range(1, 12))
    stated = run_list(runs)
    stated[0]["last_digest"] = "0" * 64
    (fault,) = run_faults(stated, run_list(runs), runs)
    assert fault.startswith("/evidence/runs/0: stated the run of 11 records")
    assert "to 11 (0000000000000000)" in fault


def test_a_run_listed_twice_or_in_another_order_is_seen(plant):
    _plant(plant)
    runs = _runs(plant, [1, 3, 4])
    found = run_list(runs)
    assert run_faults(list(reversed(found)), found, runs) == [
        "/evidence/runs: listed in another order, or one is listed twice"
    ]
    assert "is not in the bundle as such" in run_faults([found[0], *found], found, runs)[0]


def test_a_stream_on_one_side_only_is_named(plant, signers):
    _plant(plant)
    other = type(plant)(signers.gateway, stream="01KDMZNGG028T5CY4TQKFF04HN")
    other.birth()
    alone, both = (chained_runs(map(Link.of, records)) for records in (plant.records, plant.records + other.records))
    assert run_faults(run_list(both), run_list(alone), alone)[0] == (
        f"stream {other.stream} is missing: the statement lists it, the bundle has no record of it"
    )
    extra, run = run_faults(run_list(alone), run_list(both), both)
    assert extra == f"stream {other.stream} is extra: the bundle has it, the statement does not list it"
    assert run.endswith("is in the bundle, and the statement does not list it as such")


def test_a_list_of_something_else_is_told(plant):
    runs = _runs(_plant(plant), [1, 2])
    for stated in (None, {}, [None], [{"stream": plant.stream}]):
        assert run_faults(stated, run_list(runs), runs) == ["/evidence/runs: not a list of runs"]


def test_spans_are_subtracted_to_the_number():
    assert _beyond([(1, 10)], [(3, 4), (6, 6)]) == [(1, 2), (5, 5), (7, 10)]
    assert _beyond([(1, 2), (5, 9)], [(2, 6)]) == [(1, 1), (7, 9)]
    assert _beyond([(1, 5)], [(0, 9)]) == []
    assert _beyond([(1, 5)], []) == [(1, 5)]
    assert _beyond([(1, 10)], [(2, 8), (3, 4)]) == [(1, 1), (9, 10)]

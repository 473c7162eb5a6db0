"""Arrays in memory → amounts of a vintage, all rules on; one core, two, and what the machine itself can."""

import os

from benchkit.amounts import amounts, arrays_of, spin, summed
from benchkit.run import program
from benchkit.solar_farm import farm
from benchkit.turns import in_turns

from compute.engine import compute
from compute.rulesets import ruleset

_ROUNDS = 7
THREADS = min(2, os.cpu_count() or 1)


def _of(made) -> str:
    return f"{len(made.evidence.by_key)} measurands, {made.readings / 1e6:.1f} million readings"


def _measured(made, report, sizes):
    turns = sizes.of(400_000_000, 1_000_000)
    arrays = arrays_of(made.evidence)
    took = in_turns(
        _ROUNDS,
        one=lambda: amounts(made, 1),
        two=lambda: amounts(made, THREADS),
        spin_one=lambda: spin(turns, 1),
        spin_two=lambda: spin(turns, THREADS),
        sum=lambda: summed(arrays),
    )
    assert took["one"].made == took["two"].made
    one_s, two_s, sum_s = (took[name].median_s for name in ("one", "two", "sum"))
    size = sum(each.nbytes for each in arrays)
    report.add("one core", made.readings / one_s / 1e6, "M readings/s", at_least=200)
    report.add("the same by its CPU time", made.readings / took["one"].median_cpu_s / 1e6, "M readings/s")
    report.add("the best of the turns", made.readings / took["one"].best_s / 1e6, "M readings/s")
    report.add(f"{THREADS} threads", made.readings / two_s / 1e6, "M readings/s")
    spun = took["spin_one"].median_s / took["spin_two"].median_s
    report.add("a loop that only computes: two threads to one", spun, "times", compared=True)
    report.add("ours: two threads to one", one_s / two_s, "times", at_least=round(0.9 * spun, 3))
    report.add("numpy's sum of the same arrays", size / sum_s / 1e9, "GB/s", compared=True)
    report.add("ours, the same bytes", size / one_s / 1e9, "GB/s", at_least=round(size / sum_s / 3e9, 3))
    report.note(f"{_of(made)}, {size / made.readings:.1f} bytes each; medians of {_ROUNDS} turns, all rules on.")


def test_counters_with_the_powers_that_guard_them(year, report, sizes):
    _measured(year, report, sizes)
    report.note(
        "Half of them are powers, which are looked up only where a counter stands still: the next table has none."
    )


def test_counters_alone_each_reading_judged(counters, report, sizes):
    _measured(counters, report, sizes)


def test_a_whole_result_from_evidence_in_memory(year, report):
    took = in_turns(_ROUNDS, all=lambda: compute(year.project, year.evidence, year.period, ruleset()))
    result = took["all"].made
    found = sorted({finding.code for finding in result.findings})
    report.add("amounts, findings, report rows, vintages", year.readings / took["all"].median_s / 1e6, "M readings/s")
    report.add("the same by its CPU time", year.readings / took["all"].median_cpu_s / 1e6, "M readings/s")
    report.note(f"{_of(year)}; {len(result.findings)} findings: {', '.join(found)}.")


def test_the_cost_of_a_reading_stays_the_same_from_one_million_to_a_hundred(report, sizes):
    farms = {f"{points} of": farm(points, days=sizes.of(365, 31)) for points in sizes.of((1, 10, 95), (1, 2))}
    took = in_turns(5, **{name: (lambda made=made: amounts(made, 1)) for name, made in farms.items()})
    costs = {name: 1e9 * took[name].median_s / made.readings for name, made in farms.items()}
    for name, made in farms.items():
        report.add(f"{made.readings / 1e6:,.0f} million readings", costs[name], "ns a reading")
    first, *_, last = costs.values()
    report.add("the most to the fewest", last / first, "times", at_most=1.2)


def test_memory_of_a_site_year(report, sizes):
    found = program("peak", str(sizes.of(20, 6)), str(sizes.of(365, 31)))
    arrays_mb = found["arrays_bytes"] / 2**20
    report.add("the arrays", arrays_mb, "MiB")
    for name in ("amounts", "result"):
        peak = (found["arrays_bytes"] + found[f"{name}_bytes"]) / found["arrays_bytes"]
        target = {"at_most": 1.5} if name == "amounts" else {}
        report.add(f"the arrays and the most that {name} took beside them", peak, "times the arrays", **target)
    report.note("A process of its own; what is resident, at its most, less what was before compute began.")

"""An oracle that was written from the rules alone says what the engine says, on readings of every kind of fault."""

import pytest
from computekit import oracle
from computekit.runs import credited, examples, exchanged, recorded
from computekit.sites import (
    NO_HARM,
    SLOTS,
    Feed,
    anything,
    burners,
    climbing,
    counters,
    losses,
    powers,
    stations,
    streams,
)
from hypothesis import given
from hypothesis import strategies as st

RULES = st.sampled_from([1, 2])
BURNING = Feed("burner", "burner_state", dict.fromkeys(SLOTS, 1))
HEATING = Feed("heat", "heat_total_j", climbing("heat_total_j", bytes([155] * len(SLOTS)), 10**15))


def agree(text, told, rules):
    result = credited(text, recorded(told), rules)
    expected = oracle.vintages(text, told, rules)
    amounts = [
        {row.point: (row.by_vintage[year].low, row.by_vintage[year].high) for row in result.monitored}
        for year in range(len(result.vintages))
    ]
    assert amounts == [year.amounts for year in expected]
    assert [(year.reduction.low, year.reduction.high) for year in result.vintages] == [
        (year.low, year.high) for year in expected
    ]
    assert [year.integer for year in result.vintages] == [year.tonnes for year in expected]


@pytest.mark.parametrize("measurand", ["energy_export_total_wh", "energy_import_total_wh", "heat_total_j"])
@examples
@given(data=st.data(), rules=RULES, place=st.sampled_from([None, None, *SLOTS]))
def test_the_oracle_and_the_engine_agree_on_a_counter(project_texts, measurand, data, rules, place):
    feed = data.draw(counters(measurand))
    feeds = [(feed, data.draw(anything(feed)))]
    if data.draw(st.booleans()):
        feeds.append((data.draw(powers(feed)), data.draw(losses())))
    if measurand == "heat_total_j":
        text = project_texts["heat-only-boiler"]()
        feeds.append((BURNING, NO_HARM))
    else:
        text = project_texts["solar-pv"](auxiliary=measurand == "energy_import_total_wh")
    agree(text if place is None else exchanged(text, feed.point, place), streams(feeds), rules)


@examples
@given(data=st.data(), rules=RULES, better=st.booleans())
def test_the_oracle_and_the_engine_agree_on_a_burner(project_texts, data, rules, better):
    feed = data.draw(burners())
    text = project_texts["heat-only-boiler"]().replace('"0.8"', '"0.8"' if better else '"0.5"')
    agree(text, streams([(HEATING, NO_HARM), (feed, data.draw(anything(feed)))]), rules)


@examples
@given(data=st.data(), rules=RULES, losses_w=st.sampled_from(["370", "1500"]))
def test_the_oracle_and_the_engine_agree_on_a_station(project_texts, data, rules, losses_w):
    phases = data.draw(stations())
    harms = [data.draw(anything(phases[0])), data.draw(losses()), NO_HARM]
    agree(project_texts["transformer-fleet"](losses_w), streams(list(zip(phases, harms, strict=True))), rules)

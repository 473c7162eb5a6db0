"""Twenty faults drawn from a seed, over every part and line: at the end nothing is lost, doubled or unexplained."""

import pytest
from faultkit.chaos import parts_of, plan, play
from faultkit.verdict import assert_nothing_is_lost

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]

PAUSE_S, LONGEST_S = 2.5, 3.0


def _twenty(faults):
    return len(faults) == 20


@pytest.mark.parametrize("rig_broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.real)], indirect=True)
def test_after_twenty_random_faults_every_due_slot_is_journalled_once_or_explained(rig, fault_seed):
    faults = plan(fault_seed, _twenty, PAUSE_S, LONGEST_S, parts_of(1))
    print(*faults, sep="\n")
    rig.start()
    rig.read_on(2)
    play(rig, faults)
    rig.read_on(2)
    rig.finish(timeout_s=90)
    assert_nothing_is_lost(rig)


def test_a_seed_brings_the_same_faults_back():
    drawn = [plan(seed, _twenty, PAUSE_S, LONGEST_S, parts_of(1)) for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]

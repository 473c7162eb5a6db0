"""How long requests take on a line: arithmetic from the serial line specification, and what is refused."""

import pytest

from gateway.budget import TCP_REQUEST_MS, Load, Timing, late, overload, serial_timing, tcp_timing
from metering.decode import Block


def test_ten_registers_at_9600_baud_take_the_time_of_their_frames_and_silences():
    # 8 + 25 bytes of 10 bits are 34.4 ms, two silences of 3.5 characters 7.3 ms.
    assert serial_timing(9600, 10, 0).block_ms(Block(3, 0, 10)) == pytest.approx(34.375 + 7.292, abs=0.01)


def test_a_full_request_at_9600_baud_takes_about_a_quarter_of_a_second():
    assert serial_timing(9600, 10, 0).block_ms(Block(3, 0, 125)) == pytest.approx(273.96 + 7.29, abs=0.1)


def test_above_19200_baud_the_silence_is_fixed():
    assert serial_timing(38_400, 10, 0).request_ms == pytest.approx(13 * 10 / 38.4 + 2 * 1.75)


def test_a_parity_bit_makes_each_byte_longer():
    assert serial_timing(9600, 11, 0).word_ms == pytest.approx(2 * 11 / 9.6)


def test_turnaround_is_paid_for_each_request_in_place_of_the_silence_before_it():
    without, with_it = (serial_timing(9600, 10, turnaround_ms).request_ms for turnaround_ms in (0, 60))
    assert with_it - without == pytest.approx(60 - 3.5 * 10 / 9.6)
    assert serial_timing(9600, 10, 1).request_ms == without, "shorter than the silence"
    assert tcp_timing(30).blocks_ms([Block(3, 0, 1), Block(3, 50, 100)]) == 2 * (30 + TCP_REQUEST_MS)


def test_a_slow_device_makes_holes_cheap_and_a_slow_line_makes_them_dear():
    assert serial_timing(9600, 10, 60).request_words == 37
    assert serial_timing(9600, 10, 0).request_words == 10
    assert serial_timing(115_200, 10, 60).request_words > 300


def test_a_line_with_time_left_is_not_refused():
    assert overload("bus", [Load("a/x", 1000, 600), Load("b/x", 10_000, 4000)]) is None
    assert overload("bus", []) is None


def test_an_impossible_line_names_its_greediest_group_and_what_would_do():
    found = overload("bus", [Load("a/x", 1000, 600), Load("b/x", 10_000, 5000)])
    assert found is not None
    assert found.group == "a/x"
    assert "every 1 s they take 1.1 s of bus time, 'a/x' alone 0.6 s" in found.problem
    assert "fits at one slot every 1.2 s or more" in found.problem


def test_where_the_others_alone_are_too_much_no_false_advice_is_given():
    found = overload("bus", [Load("a/x", 1000, 1200), Load("b/x", 1000, 1100)])
    assert found is not None
    assert "even without 'a/x' it is too much" in found.problem


def test_a_request_without_registers_in_the_answer_costs_what_a_timing_says():
    assert Timing(7.0, 0.5).block_ms(Block(4, 0, 4)) == 9.0


def test_a_group_that_waits_for_the_others_longer_than_a_reading_may_take_is_late():
    # A reading is late after a fifth of its interval, but not before five seconds.
    fast, slow, slowest = Load("a/x", 1000, 400), Load("b/x", 60_000, 4500), Load("c/x", 900_000, 8000)
    assert late([slowest, slow, fast]) == []
    assert late([slowest, slow, fast, Load("d/x", 60_000, 8000)]) == [Load("d/x", 60_000, 8000)]

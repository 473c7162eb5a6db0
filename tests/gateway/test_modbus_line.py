"""The Modbus adapter against a pymodbus server, and against a server that misbehaves."""

import asyncio

from gateway.buses import tcp_bus
from gateway.line import Line
from gateway.member import FIRST_WAIT_S, Unit
from gateway.poll import Answer
from metering.clock import SystemClock
from metering.quality import Quality


def _read(line: Line, *requests: tuple[int, int, int, int]) -> list[Answer]:
    async def ask() -> list[Answer]:
        async with line:
            return [await line.read(*request) for request in requests]

    return asyncio.run(ask())


def _line(port: int, units=(1, 2), timeout_s: float = 0.2, clock=None) -> Line:
    return Line(tcp_bus("127.0.0.1", port), dict.fromkeys(units, Unit(timeout_s)), clock or SystemClock())


def test_holding_and_input_registers_are_read_with_their_own_function_at_the_address_asked_for(meter):
    holding, inputs = _read(_line(meter.port, timeout_s=2), (1, 3, 5, 2), (2, 4, 7, 3))
    assert (holding.words, holding.quality) == ((1005, 1006), Quality.OK)
    assert (inputs.words, inputs.quality) == ((2007, 2008, 2009), Quality.OK)
    assert meter.asked == [(1, 3, 5, 2), (2, 4, 7, 3)]
    assert holding.sent_ms <= holding.received_ms


def test_a_modbus_exception_is_an_answer_and_does_not_stop_the_asking(meter):
    meter.excepting.add(1)
    answers = _read(_line(meter.port, timeout_s=2), (1, 3, 5, 2), (1, 3, 6, 2))
    assert [answer.quality for answer in answers] == [Quality.EXCEPTION, Quality.EXCEPTION]
    assert [answer.words for answer in answers] == [None, None]
    assert len(meter.asked) == 2


def test_an_answer_with_another_number_of_registers_is_a_bad_frame_and_never_a_shifted_value(rogue):
    rogue.short.add(1)
    (answer,) = _read(_line(rogue.port), (1, 3, 5, 2))
    assert (answer.words, answer.quality) == (None, Quality.BAD_FRAME)


def test_a_silent_unit_does_not_stop_another_unit_of_the_same_line(rogue):
    rogue.silent.add(1)
    silent, other = _read(_line(rogue.port), (1, 3, 5, 2), (2, 3, 5, 2))
    assert silent.quality is Quality.NO_ANSWER
    assert other.words == (2005, 2006)


def test_a_silent_unit_is_probed_once_per_back_off_and_read_again_when_it_answers(rogue, clock):
    line = _line(rogue.port, clock=clock)
    rogue.silent.add(1)

    async def live() -> None:
        async with line:
            for _ in range(5):
                assert (await line.read(1, 3, 0, 1)).quality is Quality.NO_ANSWER
            assert len(rogue.asked) == 1
            assert line.silent_units() == [1]
            clock.real_ms += int(FIRST_WAIT_S * 1000)
            await line.read(1, 3, 0, 1)
            assert len(rogue.asked) == 2
            rogue.silent.clear()
            clock.real_ms += int(2 * FIRST_WAIT_S * 1000)
            assert (await line.read(1, 3, 0, 1)).words == (1000,)
            assert line.silent_units() == []

    asyncio.run(live())


def test_nothing_that_arrives_after_a_timeout_is_read_because_the_connection_is_given_up(rogue):
    rogue.silent.add(1)
    _read(_line(rogue.port), (1, 3, 5, 2), (2, 3, 5, 2), (2, 3, 6, 2))
    assert rogue.connections == 2


def test_a_connection_that_breaks_in_the_middle_of_an_answer_is_no_answer_and_the_next_read_connects_again(rogue):
    rogue.cutting.add(1)
    broken, other = _read(_line(rogue.port), (1, 3, 5, 2), (2, 3, 5, 2))
    assert broken.quality is Quality.NO_ANSWER
    assert other.words == (2005, 2006)


def test_an_address_where_nothing_listens_is_no_answer_and_is_left_alone_for_a_while(free_port, clock):
    line = _line(free_port(), clock=clock)
    answers = _read(line, (1, 3, 0, 1), (2, 3, 0, 1))
    assert [answer.quality for answer in answers] == [Quality.NO_ANSWER, Quality.NO_ANSWER]
    assert line.silent_units() == [1, 2]


def test_the_adapter_offers_no_way_to_write():
    offered = {name for name in vars(Line) if not name.startswith("_")}
    assert offered == {"read", "identity", "is_stranger", "silent_units", "round_trips", "renew", "close", "trouble"}


def test_a_unit_that_a_converter_cannot_reach_gives_no_answer_and_is_left_alone_for_a_while(rogue, clock):
    rogue.unreachable.add(1)
    line = _line(rogue.port, clock=clock)
    answers = _read(line, (1, 3, 0, 1), (1, 3, 0, 1), (2, 3, 0, 1))
    assert [answer.quality for answer in answers] == [Quality.NO_ANSWER, Quality.NO_ANSWER, Quality.OK]
    assert [request[0] for request in rogue.asked] == [1, 2]
    assert line.silent_units() == [1]


def test_an_answer_says_whether_the_request_itself_was_refused(meter):
    meter.refused.add(7)
    meter.excepting.add(2)
    refused, broken, good = _read(_line(meter.port), (1, 3, 5, 4), (2, 3, 0, 1), (1, 3, 0, 1))
    assert (refused.quality, refused.refused) == (Quality.EXCEPTION, True)
    assert (broken.quality, broken.refused) == (Quality.EXCEPTION, False)
    assert (good.quality, good.refused) == (Quality.OK, False)

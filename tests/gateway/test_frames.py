"""Which bytes are the answer: one frame that fits the request, found among whatever else arrives, or none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linekit.bus import answer_to, framed

from gateway.frames import Found, crc16, mbap_answer, rtu_answer

REQUEST = framed(bytes.fromhex("010300000002"))
ANSWER = framed(bytes.fromhex("01030400070008"))
EXCEPTION = framed(bytes.fromhex("018302"))
TCP_REQUEST = bytes.fromhex("000700000006") + REQUEST[:-2]
TCP_ANSWER = bytes.fromhex("000700000007") + ANSWER[:-2]
TCP_EXCEPTION = bytes.fromhex("000700000003") + EXCEPTION[:-2]


def test_the_check_of_a_frame_is_that_of_the_published_example():
    # Modbus over serial line 1.02, appendix B: the frame 02 07 has the check 41 12.
    assert crc16(bytes.fromhex("0207")) == bytes.fromhex("4112")


@pytest.mark.parametrize("answer", [ANSWER, EXCEPTION])
def test_an_rtu_answer_is_found_whole_and_not_before_it_is_complete(answer):
    assert rtu_answer(REQUEST, answer) == Found(answer, strange=False)
    assert [rtu_answer(REQUEST, answer[:end]) for end in range(len(answer))] == [Found(b"", False)] * len(answer)


@pytest.mark.parametrize(
    ("before", "strange"),
    [
        (REQUEST, False),
        (b"\x00", True),
        (ANSWER[:-1], True),
        (framed(bytes.fromhex("02030400010002")), True),
        (framed(bytes.fromhex("01040400010002")), True),
        (framed(bytes.fromhex("0103020001")), True),
        (framed(bytes.fromhex("010306000100020003")), True),
        (ANSWER[:-1] + b"\x00", True),
    ],
    ids=["echo", "noise", "half", "other unit", "other function", "shorter", "longer", "wrong check"],
)
def test_what_comes_before_the_answer_is_skipped(before, strange):
    assert rtu_answer(REQUEST, before + ANSWER) == Found(ANSWER, strange)
    assert rtu_answer(REQUEST, before).frame == b""


def test_an_echo_is_no_answer_although_it_begins_like_one():
    for address in range(0x0200, 0x0300):  # the byte that would say "one register follows"
        echo = framed(struct.pack(">BBHH", 1, 3, address, 1))
        for end in range(1, len(echo) + 1):
            assert rtu_answer(echo, echo[:end]).frame == b""


def test_an_answer_inside_a_frame_of_another_unit_is_data_and_no_answer():
    inside = framed(bytes((2, 3, len(ANSWER) + 1)) + ANSWER + b"\x00")
    assert rtu_answer(REQUEST, inside) == Found(b"", strange=True)


def test_what_stands_behind_the_answer_is_reported():
    assert rtu_answer(REQUEST, ANSWER + ANSWER) == Found(ANSWER, strange=True)


@given(st.binary(max_size=300))
def test_any_bytes_give_an_answer_that_fits_or_none(data):
    for find, request in ((rtu_answer, REQUEST), (mbap_answer, TCP_REQUEST)):
        frame = find(request, data).frame
        assert frame == b"" or (frame in data and len(frame) in (5, 9, 13))


@given(st.binary(max_size=40), st.integers(0, 12))
def test_noise_around_an_answer_never_changes_it(noise, address):
    request = framed(struct.pack(">BBHH", 1, 3, address, 2))
    answer = answer_to(request)
    assert rtu_answer(request, noise + answer).frame in (answer, b"")
    assert rtu_answer(request, answer + noise).frame == answer


@pytest.mark.parametrize("answer", [TCP_ANSWER, TCP_EXCEPTION])
def test_a_tcp_answer_is_found_whole_and_not_before_it_is_complete(answer):
    assert mbap_answer(TCP_REQUEST, answer) == Found(answer, strange=False)
    assert [mbap_answer(TCP_REQUEST, answer[:end]) for end in range(len(answer))] == [Found(b"", False)] * len(answer)


@pytest.mark.parametrize(
    "other",
    [
        "0006000000070103040001000200"[:26],  # an earlier transaction
        "00000000000701030400010002",
        "00070001000701030400010002",
        "00070000000702030400010002",
        "00070000000701040400010002",
        "0007000000050103020001",
        "00070000000701030200010002",
        "000700000009010306000100020003",
    ],
)
def test_an_answer_of_another_transaction_protocol_unit_function_or_length_is_skipped(other):
    skipped = bytes.fromhex(other)
    assert mbap_answer(TCP_REQUEST, skipped) == Found(b"", strange=True)
    assert mbap_answer(TCP_REQUEST, skipped + TCP_ANSWER) == Found(TCP_ANSWER, strange=True)


def test_who_asks_unit_0_over_tcp_takes_the_answer_of_whoever_is_there():
    request = TCP_REQUEST[:6] + b"\x00" + TCP_REQUEST[7:]
    assert mbap_answer(request, TCP_ANSWER).frame == TCP_ANSWER

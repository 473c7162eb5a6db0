"""A bar is shown to people who wait, and to nobody else."""

import io
import os
import pty
import sys

import pytest

from sakugen.cli import terminal


@pytest.fixture
def open_screen(monkeypatch):
    """`screen = open_screen()` puts a terminal behind stderr, `screen()` is what it has shown so far."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    shown = bytearray()

    def look() -> str:
        try:
            while part := os.read(master, 4096):
                shown.extend(part)
        except BlockingIOError:
            pass
        return shown.decode()

    def begin():
        # In the test itself: between a fixture and its test, pytest gives stderr its own file again.
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        return look

    with os.fdopen(slave, "w") as stderr:
        yield begin
    os.close(master)


def test_work_that_takes_a_while_shows_what_it_is_at(open_screen, wait_until):
    screen = open_screen()
    with terminal.working(2, patience_s=0.0) as step:
        step("demo-solar [a]")
        wait_until(lambda: "demo-solar [a]" in screen())
        step("demo-boiler")
        wait_until(lambda: "demo-boiler" in screen())


def test_work_that_is_soon_done_shows_nothing(open_screen):
    screen = open_screen()
    with terminal.working(1, patience_s=60.0) as step:
        step("demo-solar")
    assert "demo-solar" not in screen()


def test_where_there_is_no_terminal_nothing_is_shown(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    with terminal.working(1, patience_s=0.0) as step:
        step("demo-solar")
    assert written.getvalue() == ""


def test_the_bar_goes_also_when_the_work_fails(open_screen, wait_until):
    screen = open_screen()

    def fail():
        with terminal.working(1, patience_s=0.0) as step:
            step("demo-solar")
            wait_until(lambda: "demo-solar" in screen())
            raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        fail()

"""What people see of a command: text in colour, tables, progress bars. rich comes in here, and only when it is used.

An agent that runs for years must not carry the library that would print its table.
"""

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

_WIDTH_IN_A_FILE = 140


def console(*, stderr: bool = False, width_in_a_file: int = _WIDTH_IN_A_FILE) -> "Console":
    """Where text goes: as wide as the terminal, wide enough for a table where there is none.

    Args:
        width_in_a_file: how wide a table may be there [characters].
        stderr: whether it is beside the result and not the result; lines are then left as long as they are.
    """
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=stderr)
    return made if made.is_terminal or stderr else Console(highlight=False, width=width_in_a_file)


def escape(text: str) -> str:
    """Have square brackets printed, not understood."""
    from rich.markup import escape as escaped

    return escaped(text)


def new_table(*columns: str, title: str | None = None) -> "Table":
    """Begin a table; a column whose name ends in a unit, as in `time [ms]`, is aligned to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(escape(column), justify="right" if column.endswith("]") else "left", overflow="fold")
    return table


_PATIENCE_S = 2.0


@contextmanager
def working(steps: int, *, patience_s: float = _PATIENCE_S) -> "Iterator[Callable[[str], None]]":
    """Show a bar for work that people have to wait for: on a terminal, on stderr, and only when it takes a while.

    Args:
        steps: how many there are.
        patience_s: what is done sooner shows nothing [s].

    Yields:
        What to call as each step begins, with its name.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with_bar = progress(quiet=False)
    task = with_bar.add_task("", total=steps, completed=-1)
    timer = threading.Timer(patience_s, with_bar.start)
    timer.start()
    try:
        yield lambda name: with_bar.update(task, advance=1, description=escape(name))
    finally:
        timer.cancel()
        timer.join()
        with_bar.stop()


def progress(*, quiet: bool) -> "Progress":
    """A bar on stderr that goes when it is done; what is said meanwhile goes to its console.

    Args:
        quiet: whether to show nothing at all.
    """
    from rich.progress import Progress

    beside = console(stderr=True)
    beside.quiet = quiet
    return Progress(console=beside, transient=True)

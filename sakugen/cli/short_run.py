"""For commands that compute once and end: no time is spent on garbage that the end of the process takes away."""

import atexit
import gc
from typing import Final

_OBJECTS: Final = 500_000


def ends_soon() -> None:
    """Look for cyclic garbage only when there is a lot, and not at the end: with numba, that was a third of a run.

    What runs for years keeps Python's own pace.
    """
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)  # the interpreter, as it ends, does not go through what is frozen

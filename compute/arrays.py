"""The kinds of arrays that kernels take."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.uint8]

Columns = tuple[Ints, Ints, Flags, Ints, Ints, Flags, NDArray[np.int32], Ints]
"""time_ms, value, quality, sent_ms, received_ms, synced, binding; and the register step of each row where its words
tell it (else without rows)."""

Tables = tuple[Ints, NDArray[np.float64], Ints, Ints]
"""For each binding, its register's step and binary digits; what a float register's 1 is [quanta]; for each stretch of
time between two changes of declared meters, the key of each binding's readings (below 0: not of a declared meter); and
the instants of those changes [ms]."""

Out = tuple[Ints, Ints, Ints]
"""Hours, marks and still stretches, with room for more."""

Answer = tuple[int, Ints, Ints, Ints, Ints]
"""`DONE` or `OVERFLOW`; the state behind the last row, see `compute.layout`; hours; marks; still stretches."""

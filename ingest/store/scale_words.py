"""The scale words of a whole series at once: what a register step was is kept where the raw words are not.

In goes a series with its raw words, or with what was kept of them; out come register steps [quanta]. It says what
`Series.step` says row by row, for registers with a scale register alone: the step of all others follows from the
register and the value.
"""

import base64
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from ingest.store.series import ArchivedSeries, Int64Array, Series
from metering import decode


def scale_steps(series: Series) -> Int64Array | None:
    """Find the register step at each row that has a value.

    Returns:
        Steps [quanta], 0 where the words do not tell; None when no register of the series has a scale register.
    """
    scaling = [place for place, bound in enumerate(series.bindings) if bound.register.scale_register is not None]
    if not scaling:
        return None
    if isinstance(series, ArchivedSeries):
        return series.steps
    steps = np.zeros(len(series), np.int64)
    for place in scaling:
        rows = np.flatnonzero((series.binding == place) & series.valued)
        if series.bindings[place].register.type.is_float:
            steps[rows] = [series.step(int(row)) or 0 for row in rows]
            continue
        words, rows = _words(series, place, rows)
        for word in np.unique(words).tolist():
            same = rows[words == word]
            steps[same] = series.step(int(same[0])) or 0  # an integer register's step depends on nothing else
    return steps


def _words(series: Series, place: int, rows: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Take the scale word out of the text of each row; rows whose words do not fit the birth are left out."""
    bound = series.bindings[place]
    found = decode.place_of(bound.register, bound.blocks)
    length = 4 * -(-2 * sum(block.count for block in bound.blocks) // 3)
    lengths = np.fromiter(map(len, series.raw_text), np.int64, len(series))
    rows = rows[lengths[rows] == length]
    if found is None or found.scale_offset is None or not len(rows):
        return np.empty(0, np.int64), rows[:0]
    byte = 2 * (sum(block.count for block in bound.blocks[: found.block]) + found.scale_offset)
    wanted = np.zeros(len(series), np.bool_)
    wanted[rows] = True
    joined = "".join(compress(series.raw_text, wanted.tolist())).encode()
    characters = np.frombuffer(joined, np.uint8).reshape(len(rows), length)
    # Four characters are three bytes, wherever they stand; where the text ends, "=" stands for bits that are not used.
    part = characters[:, byte // 3 * 4 : (byte + 1) // 3 * 4 + 4].tobytes().replace(b"=", b"A")
    data = np.frombuffer(base64.b64decode(part), np.uint8).reshape(len(rows), -1)[:, byte % 3 : byte % 3 + 2]
    return data[:, 0].astype(np.int64) * 256 + data[:, 1], rows

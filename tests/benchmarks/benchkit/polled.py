"""When a device was asked and when it answered, slot by slot: what all its measurands share."""

import numpy as np

from ingest.store.series import Series
from metering.quality import Quality

_NO_ANSWER_SHARE = 0.001
_OUTAGE_SLOTS = 1440
"""No gateway runs through a whole year: this many slots in its middle were not read."""


def polled(first_ms: int, interval_ms: int, slots: int, rng: np.random.Generator) -> Series:
    """A series without values: some answers are missing, some slots were not read, times jitter."""
    time_ms = first_ms + np.arange(slots, dtype=np.int64) * interval_ms
    quality = np.where(rng.random(slots) < _NO_ANSWER_SHARE, Quality.NO_ANSWER, Quality.OK).astype(np.uint8)
    quality[slots // 2 : slots // 2 + min(_OUTAGE_SLOTS, slots // 10)] = Quality.AGENT_DOWN
    sent_ms = time_ms + np.where(quality == Quality.AGENT_DOWN, 0, 1 + rng.poisson(2, slots))
    return Series(
        point="",
        measurand="",
        time_ms=time_ms,
        value=np.zeros(slots, np.int64),
        quality=quality,
        sent_ms=sent_ms,
        received_ms=sent_ms + np.where(quality == Quality.AGENT_DOWN, 0, 20 + rng.poisson(8, slots)),
        synced=quality != Quality.AGENT_DOWN,
        binding=np.zeros(slots, np.int32),
        bindings=(),
        raw_text=("",) * slots,
    )

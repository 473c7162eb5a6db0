"""Which column of a kernel's table holds what: plain integers, which compiled code takes as constants."""

# A mark: one pair of readings that follow each other. `compute.segments.Marks` says what each column is.
EARLIER_MS, LATER_MS, EARLIER_SLOT, LATER_SLOT, EARLIER_VALUE, LATER_VALUE = range(6)
LOW, HIGH, LIMIT, CODE, PREVIOUS_MS, PREVIOUS_VALUE = range(6, 12)
MARK_COLUMNS = 12

# An hour, or the part of one before or behind an edge.
START_MS, PART, HOUR_LOW, HOUR_HIGH, HOUR_USABLE = range(5)
HOUR_COLUMNS = 5

# A reading.
POSITION, SLOT, REQUEST, ANSWER, VALUE, STEP = range(6)
READING_COLUMNS = 6

# A stretch in which a counter stood still: the reading where it began, the last that showed the same, the one that
# ended it, whether there is one, whether that goes with the stretch, and the coarsest register step.
RUN_FROM, RUN_TO, RUN_ENDER, RUN_ENDED, RUN_TAKEN, RUN_STEP = 0, 6, 12, 18, 19, 20
RUN_COLUMNS = 21

# What holds of a whole counter.
RATE_NUM, RATE_DEN, SAFE_MS, MODULUS, RESETTABLE = range(5)
NONVOLATILE_MS, INTERVAL_MS, TOLERANCE_MS, ORIGIN_MS, STILL_MS = range(5, 10)
LAW_COLUMNS = 10

# What a binding says: its register's step (or one of the two below) and the binary digits of a float register.
STEP_OF_FLOAT, STEP_IN_COLUMN = -1, -2

# What a kernel knows between two rows: one array. First of all what is left of it behind the last row,
S_HAS, S_ROWS, S_USABLE, S_STEP, S_PAIRS, S_OPEN_KEY, S_KEY = range(7)
S_CHANGED, S_SKIPPED, S_HEAD_CHANGED, S_HEAD_SKIPPED = range(7, 11)
S_FIRST, S_LAST = 11, 17
S_HEAD, S_TAIL = 23, 35
S_HEAD_RUN, S_TAIL_RUN = 47, 68
STATE_COLUMNS = 89
# then what only the kernel itself needs: the hour rows it last wrote to, how many rows its tables have, a reading and a
# pair in the making.
S_PREVIOUS_MS, S_PREVIOUS_VALUE, S_STILL, S_STRETCH, S_SLOW = range(89, 94)
S_AMOUNT_ROW, S_AMOUNT_FROM, S_AMOUNT_TO, S_USABLE_ROW, S_USABLE_FROM, S_USABLE_TO = range(95, 101)
S_HOURS, S_MARKS, S_RUNS = range(101, 104)
S_NOW, S_BEFORE, S_ROW = 104, 110, 116
WORK_COLUMNS = 128

NOWHERE = -(2**63)
"""In the place of an instant: there is none."""
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

# What a power says of a stretch: whether there is a sample in it, the first and the last one, the energy between.
FLOW_HAS, FLOW_FROM_MS, FLOW_FROM_MW, FLOW_TO_MS, FLOW_TO_MW, FLOW_ENERGY = range(6)
FLOW_COLUMNS = 6
# What holds of a whole power.
POWER_INTERVAL_MS, POWER_DIVISOR, POWER_LEAST_MW, POWER_MOST_MW = range(4)
POWER_COLUMNS = 4

"""Holding register 0 of a remote input, unsigned 16-bit: 1 = the burner runs, 0 = not, 0xFFFF = unknown.

Generic, not a product: the status contact of a burner on a remote input with a register map of our own choice.
"""

from simulators.devices.table import Row, Sheet

SHEET = Sheet(
    make="Sakugen", model="Generic remote input", function=3, rows=(Row(0, "u16", "burner_state", missing=0xFFFF),)
)

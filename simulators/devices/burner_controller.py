"""In: whether a burner fires. Out: holding register 0, unsigned 16-bit: 1 = running, 0 = not.

Generic, not a product: the status contact of a burner on a remote input with a register map of our own choice.
"""

from simulators.devices.words import Image
from simulators.plants.states import BurnerState

FUNCTION = 3
MAKE = "Sakugen"
MODEL = "Generic remote input"


def image(state: BurnerState) -> Image:
    """The readable register."""
    return {0: int(state.running)}

"""In: the simulators' settings and one of their plants. Out: that plant with its instruments, nothing computed yet."""

from simulators.config import PlantSettings, SimulatorSettings
from simulators.roster import Site, build_site


def built(settings: SimulatorSettings, plant: PlantSettings) -> Site:
    """Make one of the plants as its table says.

    Raises:
        SizeError: it cannot have the size that is asked for.
        MeasuredDataError: measured power is asked for and not installed.
    """
    seed, origin_ms = settings.seed_of(plant), settings.counters_from_ms
    return build_site(plant.plant, seed, origin_ms, plant.power, plant.ready, plant.rated_w)

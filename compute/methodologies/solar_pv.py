"""Solar PV: metered AC electricity displaces electricity of the grid or of a captive generator.

References:
    JCM methodology MN_AM003 ver 2.0 "Installation of Solar PV System" (as listed on jcm-mongolia.com), calculation of
    reference and project emissions; the equation numbers are those of the catalog file.
"""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

from compute.methodologies.shape import Direction, Emissions

DIRECTIONS: Mapping[str, Direction] = MappingProxyType({"EG": Direction.UP, "EC_AUX": Direction.DOWN})


def emissions(amounts: Mapping[str, Fraction], factors: Mapping[str, Fraction]) -> Emissions:
    """Give the emissions of one metering point.

    Args:
        amounts: EG, electricity supplied [MWh]; EC_AUX, electricity imported for auxiliaries [MWh].
        factors: EF_RE and, with EC_AUX, EF_AUX [tCO2/MWh].

    Returns:
        Reference and project emissions [tCO2e].
    """
    reference = project = Fraction(0)
    if "EG" in amounts:
        reference = amounts["EG"] * factors["EF_RE"]  # Eq. (1): RE = sum of EG x EF_RE
    if "EC_AUX" in amounts:
        project = amounts["EC_AUX"] * factors["EF_AUX"]  # Eq. (2): PE = sum of EC_AUX x EF_AUX, 0 without auxiliaries
    return Emissions(reference, project)

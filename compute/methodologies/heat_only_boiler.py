"""Heat-only boiler: a more efficient boiler supplies metered heat with less coal, and takes electricity for its drives.

References:
    GEC JCM demonstration study 2013 (Suuri-Keikaku), high efficiency heat-only boilers in Mongolia, the study that
    became MN_AM002: ER = (1/eta_RE - 1/eta_PJ) x Q x EF_coal - EC x EF_grid, EC = maximum electric power x operating
    hours / 1000.
"""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

from compute.methodologies.shape import Direction, Emissions

# With Q the sign depends on which boiler is the better one; more hours of the burner never raise the reduction.
DIRECTIONS: Mapping[str, Direction] = MappingProxyType({"Q": Direction.EITHER, "T_op": Direction.DOWN})

_W_PER_MW = 1_000_000


def emissions(amounts: Mapping[str, Fraction], factors: Mapping[str, Fraction]) -> Emissions:
    """Give the emissions of one metering point.

    Args:
        amounts: Q, net heat supplied [GJ]; T_op, operating hours of the boiler's drives [h].
        factors: with Q: eta_RE, eta_PJ [1], EF_coal [tCO2/GJ]; with T_op: P_el [W], EF_grid [tCO2/MWh].

    Returns:
        Reference and project emissions [tCO2e].
    """
    reference = project = Fraction(0)
    if "Q" in amounts:
        reference = amounts["Q"] / factors["eta_RE"] * factors["EF_coal"]  # Eq. (1): RE = Q / eta_RE x EF_coal
        project = amounts["Q"] / factors["eta_PJ"] * factors["EF_coal"]  # Eq. (2): first term of PE
    if "T_op" in amounts:
        ec_mwh = factors["P_el"] * amounts["T_op"] / _W_PER_MW  # Eq. (3): EC = P_el x T_op
        project += ec_mwh * factors["EF_grid"]  # Eq. (2): second term of PE
    return Emissions(reference, project)

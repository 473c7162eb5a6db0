"""Transformer fleet: amorphous cores lose less while they are energised, whatever the load.

References:
    The family of VN_AM005 "Installation of energy efficient transformers in a power distribution grid", derived from
    CDM AM0067: RE = n x NLL_RE x H x EF x 1e-6; PE the same with NLL_PJ x (1 + UNC). H is energised time from voltage
    readings, so the blackout rate Br of the text is already in it.
"""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

from compute.methodologies.shape import Direction, Emissions

# The sign depends on which core loses less once the uncertainty of the certificate is added.
DIRECTIONS: Mapping[str, Direction] = MappingProxyType({"H": Direction.EITHER})

_W_PER_MW = 1_000_000


def emissions(amounts: Mapping[str, Fraction], factors: Mapping[str, Fraction]) -> Emissions:
    """Give the emissions of the transformers behind one metering point.

    Args:
        amounts: H, energised time [h].
        factors: n, transformers in service [1]; NLL_RE, NLL_PJ, no-load loss of one [W]; UNC, uncertainty of the test
            certificate [1]; EF_grid [tCO2/MWh].

    Returns:
        Reference and project emissions [tCO2e].
    """
    if "H" not in amounts:
        return Emissions()
    energised = factors["n"] * amounts["H"] * factors["EF_grid"] / _W_PER_MW
    reference = energised * factors["NLL_RE"]  # Eq. (1): RE = sum of n x NLL_RE x H x EF_grid x 1e-6
    project = energised * factors["NLL_PJ"] * (1 + factors["UNC"])  # Eq. (2): PE, the same with NLL_PJ x (1 + UNC)
    return Emissions(reference, project)

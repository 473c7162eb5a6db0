"""Methodologies: one file of formulas per family, one catalog file of facts per methodology version.

A family is pure arithmetic in `fractions.Fraction`, with the document and equation beside each line. Numbers
(defaults, their sources and how sure they are) are data in `catalog/*.toml`. `catalog` brings the two together as a
`Methodology`.
"""

from compute.methodologies.catalog import methodologies, methodology, package_files
from compute.methodologies.shape import Direction, Emissions, Fixed, Methodology, Monitored, Option

__all__ = [
    "Direction",
    "Emissions",
    "Fixed",
    "Methodology",
    "Monitored",
    "Option",
    "methodologies",
    "methodology",
    "package_files",
]

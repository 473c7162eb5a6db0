"""The exceptions of dashboards, as a tree.

DashboardsError
└── PortTakenError   another program listens where the console should
"""

from metering.errors import SakugenError


class DashboardsError(SakugenError):
    """Base of every exception that dashboards raises on purpose."""


class PortTakenError(DashboardsError):
    """The console's address cannot be used."""

    def __init__(self, host: str, port: int, problem: str) -> None:
        """Say who asked for which address and how to choose another.

        Args:
            host: the address asked for.
            port: the TCP port asked for.
            problem: what the operating system said.
        """
        super().__init__(
            f"dashboards console: cannot listen on {host}:{port} ({problem});"
            " choose another `port` in its configuration (0 takes a free one) or end the program that has it"
        )
        self.host = host
        self.port = port

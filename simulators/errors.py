"""The exceptions of the simulators, as a tree.

metering.errors.SakugenError
└── SimulatorError
    ├── PortTakenError      a plant's port cannot be listened on
    ├── LineError           a plant's line cannot be opened: its TLS files, its device file
    ├── LedgerError         the ledger cannot be written or read
    ├── ControlError        running simulators cannot be asked, or not for that
    ├── ExportError         what a consumer says cannot be read
    ├── SizeError           a plant that cannot have the size that is asked for
    ├── TooEarlyError       an instant before the counters begin
    └── MeasuredDataError   the package with measured power is missing or not as expected
"""

from metering.errors import SakugenError


class SimulatorError(SakugenError):
    """Base of every exception that the simulators raise on purpose."""


class PortTakenError(SimulatorError):
    """A plant's Modbus port cannot be listened on; says which plant asked and how to choose another."""

    retryable = True

    def __init__(self, project: str, host: str, port: int, reason: str) -> None:
        """Say who asked for what.

        Args:
            project: the project of the plant that asked for the port.
            host: the address to bind.
            port: the TCP port.
            reason: what the operating system answered.
        """
        super().__init__(
            f"simulators: the plant of project {project!r} asked for {host}:{port}, and the system answered: {reason}. "
            "Choose another with `port = ...` in its [[plants]] table or with --port (0 takes any free port), or end"
            " what uses it."
        )
        self.project = project
        self.host = host
        self.port = port


class LineError(SimulatorError):
    """A plant's line cannot be opened; says which plant, which file and why."""


class LedgerError(SimulatorError):
    """The ledger cannot be written or read; names it and says why."""


class ControlError(SimulatorError):
    """Running simulators cannot be asked, or they cannot do that; says why."""


class ExportError(SimulatorError):
    """What a consumer says cannot be read; names file and line."""


class SizeError(SimulatorError):
    """A plant cannot have the size that is asked for."""


class TooEarlyError(SimulatorError):
    """An instant before `counters_from`: the counters have no value yet."""


class MeasuredDataError(SimulatorError):
    """The measured one-minute power cannot be read; says what to install."""

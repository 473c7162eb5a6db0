"""The exceptions of the gateway, as a tree.

GatewayError
├── PlanError            registers that no allowed request can read together
├── ReloadError          a configuration that cannot follow the one in use without a restart
├── MetricsError         metrics cannot be shown where they are asked for
└── OutboxError          the outbox cannot be used
    ├── OutboxLockedError    another process owns it
    ├── OutboxBrokenError    its file is damaged or cannot be written: the process ends, and is started again
    └── OutboxFullError      no space is left; reading stops until there is some
"""

from metering.errors import SakugenError


class GatewayError(SakugenError):
    """Base of what the gateway raises on purpose."""


class PlanError(GatewayError):
    """Registers that must be read in one request but do not fit into one."""


class ReloadError(GatewayError):
    """A configuration that differs in more than can be changed while the gateway runs."""


class MetricsError(GatewayError):
    """Metrics cannot be shown at the address that the configuration names."""


class OutboxError(GatewayError):
    """The outbox cannot be used; says which file and what to do."""


class OutboxLockedError(OutboxError):
    """Another process has the outbox open."""


class OutboxBrokenError(OutboxError):
    """The open file can no longer be used. The process has to end; the next start begins a new file or goes on."""


class OutboxFullError(OutboxError):
    """The disk is full: nothing was committed, nothing was lost; the same call works once there is space."""

    retryable = True

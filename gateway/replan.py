"""The requests of a running gateway: laid out at the start, laid out again when a device refuses one for good."""

import logging
from collections.abc import Mapping
from pathlib import Path

from gateway.backoff import BackOff
from gateway.birth import birth_body
from gateway.config import GatewaySettings
from gateway.entries import BirthBody, SlotReading
from gateway.layout import lay_out
from gateway.maps import load_map
from gateway.plan import Cut
from gateway.poll import PollGroup, Reader
from gateway.refusals import find_cuts, load_cuts, refused_blocks, save_cuts
from metering.clock import Clock

_LOG = logging.getLogger("gateway.refusals")
_FIRST_WAIT_S = 60.0
_MOST_WAIT_S = 3600.0
"""A device that refuses everything is not asked for parts of it at every slot [s]."""


def learned_cuts(settings: GatewaySettings) -> dict[str, frozenset[Cut]]:
    """Read what earlier runs learned of the devices.

    Args:
        settings: a checked configuration.

    Returns:
        By poll group, where its device refused a larger request.
    """
    return load_cuts(_file(settings), _maps(settings))


def _file(settings: GatewaySettings) -> Path:
    return settings.data_dir / "refused.json"


def _maps(settings: GatewaySettings) -> dict[str, str]:
    digests = {device.name: load_map(device.map).digest for device in settings.device}
    return {f"{device.name}/{group.name}": digests[device.name] for device in settings.device for group in device.group}


class Plans:
    """What is asked of each device now."""

    def __init__(self, settings: GatewaySettings, clock: Clock) -> None:
        """Remember what for; nothing is read before `load`.

        Args:
            settings: a checked configuration.
            clock: its real time says when to ask for parts again.
        """
        self._settings = settings
        self._clock = clock
        self._cuts: dict[str, frozenset[Cut]] = {}
        self._patience: dict[str, BackOff] = {}

    def load(self) -> None:
        """Read what was learned in earlier runs."""
        self._cuts = learned_cuts(self._settings)

    def succeeded_by(self, settings: GatewaySettings) -> "Plans":
        """Plan for another configuration with what is known of the devices that stay.

        Args:
            settings: the configuration that follows.
        """
        plans = Plans(settings, self._clock)
        plans._patience = self._patience
        before, after = _maps(self._settings), _maps(settings)
        plans._cuts = {name: cuts for name, cuts in self._cuts.items() if before.get(name) == after.get(name)}
        return plans

    def birth(self, serials: Mapping[str, str], more: dict[str, frozenset[Cut]] | None = None) -> BirthBody:
        """Say what is read.

        Args:
            serials: by device, the serial number that its instrument tells, where it is not the configured one.
            more: cuts that come on top, by poll group.
        """
        return birth_body(self._settings, self._clock.factor, self._with(more or {}), serials)

    def by_device(self) -> list[tuple[str, PollGroup]]:
        """What is asked: (name of the device, poll group)."""
        return [(laid.device, laid.group) for laid in lay_out(self._settings, self._cuts)]

    def group(self, name: str) -> PollGroup:
        """What is asked for one poll group, `device/group`."""
        return next(group for _, group in self.by_device() if group.name == name)

    async def look_into(self, group: PollGroup, reading: SlotReading, reader: Reader) -> dict[str, frozenset[Cut]]:
        """Find out what a device refuses, if it refused something.

        Args:
            group: what was read.
            reading: what came of it.
            reader: the device.

        Returns:
            New cuts by poll group; empty when there is nothing to learn.
        """
        patience = self._patience.setdefault(group.name, BackOff(_FIRST_WAIT_S, _MOST_WAIT_S))
        blocks = refused_blocks(group, reading)
        if not blocks or not patience.ready(self._clock.mono_ms() / 1000):
            return {}
        found: frozenset[Cut] = frozenset()
        for block in blocks:
            found |= await find_cuts(group, block, reader)
        if not found:
            patience.failed(self._clock.mono_ms() / 1000)
            return {}
        patience.succeeded()
        return {group.name: found}

    def adopt(self, more: dict[str, frozenset[Cut]]) -> None:
        """Lay out requests with new cuts from now on, and in later runs."""
        self._cuts = self._with(more)
        for name, cuts in more.items():
            places = ", ".join(f"{function}:{address}" for function, address in sorted(cuts))
            _LOG.warning("%s refuses some requests: none is made across %s any more", name, places)
        try:
            save_cuts(_file(self._settings), self._cuts, _maps(self._settings))
        except OSError as error:
            _LOG.warning("%s: not written (%s); it is learned again after a restart", _file(self._settings), error)

    def _with(self, more: dict[str, frozenset[Cut]]) -> dict[str, frozenset[Cut]]:
        return self._cuts | {name: self._cuts.get(name, frozenset()) | cuts for name, cuts in more.items()}

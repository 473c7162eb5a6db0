"""Random faults that a seed brings back: what is done to which part, when, and for how long.

In goes a seed, out comes a plan; `play` carries it out on a rig. The instants are the plan's, what each part was just
doing then is the machine's: a seed brings back the faults, not every interleaving.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from faultkit.parts import READY_WITHIN_S, Box, Outage
from faultkit.proxy import Proxy, Way
from faultkit.rig import FACTOR, Rig

_LINE_FAULTS = (
    "cut", "refuse", "stall", "swallow up", "swallow down", "lose records", "lose acks",
    "slow", "double records", "double acks", "swap records", "swap acks",
)  # fmt: skip
KINDS: dict[str, tuple[str, ...]] = {
    "gateway": ("kill", "kill", "kill", "restart"),
    "ingest": ("kill",),
    "broker": ("kill", "kill", "restart"),
    "influxd": ("kill", "kill", "restart"),
    "gateway line": _LINE_FAULTS,
    "ingest line": _LINE_FAULTS,
}
"""What can go wrong with each kind of part. A script may ask for more: "clone", "full disk", "keep journal", "restore
journal", a clock that is wrong by so many seconds, "clock +7200", and "rest", so that nothing happens for a while."""
WEIGHTS = {"gateway": 4, "ingest": 5, "broker": 2, "influxd": 3, "gateway line": 2, "ingest line": 3}
SHORTEST_S = 0.2
"""The shortest fault [s, real time]."""
ALMOST_FULL_BYTES = 256 * 1024
"""What a full disk still has: enough for ingest to start, and for a few commits."""
OUTBOX_FULL, INGEST_FULL = "outbox-full", "nothing is read until"
"""What a gateway and ingest say of a full disk."""
REST_S = 0.1
"""Between two faults of one part, at least [s, real time]."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and comes right again."""

    at_s: float
    """When, from the start [s, real time]."""
    until_s: float
    part: str
    """For example "ingest", or "gateway line 2": that of the third site."""
    kind: str
    count: int = 0
    """How many packets are tampered with, where packets are; how many kB pass in a second, where they are slow."""

    def __str__(self) -> str:
        return f"{self.at_s:6.2f} s to {self.until_s:6.2f} s: {self.part}: {self.kind} {self.count or ''}".rstrip()

    @property
    def site(self) -> int:
        """Which site it is about."""
        return int(self.part[-1])

    @property
    def kills(self) -> bool:
        """Whether it begins with a SIGKILL."""
        return self.kind in {"kill", "clone", "keep journal", "restore journal"} or self.kind.startswith("clock ")


def plan(
    seed: int,
    enough: Callable[[Sequence[Fault]], bool],
    pause_s: float,
    longest_s: float,
    parts: Iterable[str],
    script: Iterable[Fault] = (),
) -> list[Fault]:
    """Draw faults; those of one part follow one another, those of different parts overlap.

    Args:
        seed: the same brings the same faults back.
        enough: whether so many faults will do.
        pause_s: the longest wait between two beginnings [s, real time].
        longest_s: the longest fault [s, real time].
        parts: what may fail, for example "gateway 0", "broker".
        script: what happens besides; nothing else happens to a part meanwhile.
    """
    rng = random.Random(seed)
    names = sorted(parts)
    drawn, at_s = list(script), 0.5
    while not enough(drawn):
        at_s += rng.uniform(0, pause_s)
        until_s = at_s + rng.uniform(SHORTEST_S, longest_s)
        part = rng.choices(names, [WEIGHTS[_sort(name)] for name in names])[0]
        kind, count = rng.choice(KINDS[_sort(part)]), rng.randint(1, 5)
        if not any(
            each.part == part and at_s < each.until_s + REST_S and each.at_s < until_s + REST_S for each in drawn
        ):
            drawn.append(Fault(at_s, until_s, part, kind, count if "line" in part else 0))
    return sorted(drawn, key=lambda fault: fault.at_s)


def parts_of(sites: int, *others: str) -> list[str]:
    """Name what can fail where there are so many sites."""
    return [f"{part} {site}" for part in ("gateway", "gateway line") for site in range(sites)] + [
        "ingest", "broker", "ingest line", *others
    ]  # fmt: skip


def _sort(part: str) -> str:
    return part.rstrip(" 0123456789")


def play(rig: Rig, faults: Sequence[Fault]) -> None:
    """Carry a plan out; when this returns, every part is up again and every line is a wire."""
    start_ms = rig.clock.now_ms()
    steps = sorted(
        [(fault.at_s, begin, fault) for fault in faults] + [(fault.until_s, end, fault) for fault in faults],
        key=lambda step: step[0],
    )
    for at_s, step, fault in steps:
        due_ms = start_ms + round(at_s * FACTOR * 1000)
        rig.wait_until(lambda due_ms=due_ms: rig.look_after() or rig.clock.now_ms() >= due_ms, 30)
        step(rig, fault)
    running = [rig.ingest, *(box.part for box in rig.boxes if box.part.is_running)]
    rig.wait_until(lambda: rig.look_after() or all(part.is_ready for part in running), 60)
    rig.look_after()


def begin(rig: Rig, fault: Fault) -> None:
    """Break something."""
    if fault.kind == "rest":
        return
    match _sort(fault.part):
        case "gateway":
            _begin_at_gateway(rig, rig.boxes[fault.site], fault)
        case "ingest":
            _begin_at_ingest(rig, fault)
        case "broker" | "influxd":
            peer = rig.broker if fault.part == "broker" else rig.influxd
            peer.kill() if fault.kills else peer.stop()
        case _:
            _line_faults(rig, fault)[fault.kind]()


def end(rig: Rig, fault: Fault) -> None:
    """Make it whole again."""
    if fault.kind == "rest":
        return
    match _sort(fault.part):
        case "gateway":
            _end_at_gateway(rig, rig.boxes[fault.site], fault)
        case "ingest" if fault.kind == "full disk":
            rig.wait_until(lambda: rig.look_after() or INGEST_FULL in rig.ingest.output(), READY_WITHIN_S)
            rig.disks["ingest"].free()
        case "ingest":
            rig.ingest.start()
        case "broker" | "influxd":
            (rig.broker if fault.part == "broker" else rig.influxd).start()
        case _:
            _line(rig, fault).heal()


def _begin_at_gateway(rig: Rig, box: Box, fault: Fault) -> None:
    if fault.kind == "full disk":
        # An outbox that was closed in good order cannot be opened without a byte left: the agent would end.
        rig.wait_until(lambda: rig.look_after() or box.part.is_ready, READY_WITHIN_S)
        box.full_disks.append(Outage(rig.clock.now_ms()))
        rig.disks[box.folder.name].fill()
    elif fault.kind.startswith("clock "):
        # On a busy machine the plan runs late: between two wrong clocks the right one has to have read something.
        rig.wait_until(lambda: rig.look_after() or box.part.is_ready, READY_WITHIN_S)
        rig.let_pass(2)
        rig.begin_wrong_clock(box, int(fault.kind.split()[1]) * 1000)
    elif fault.kind == "restart":
        rig.note_outage(box)
        box.part.ask_to_end()
    else:
        rig.kill(box)
    if fault.kind == "clone":
        rig.copy_card(box, f"{box.folder.name}-clone").part.start()


def _end_at_gateway(rig: Rig, box: Box, fault: Fault) -> None:
    if fault.kind == "full disk":
        # On a busy machine the plan runs late: what began late must not end before anybody has noticed it.
        rig.wait_until(lambda: rig.look_after() or OUTBOX_FULL in box.part.output(), READY_WITHIN_S)
        rig.disks[box.folder.name].free()
        box.full_disks[-1].to_ms = rig.clock.now_ms()
        return
    if fault.kind == "restart":
        box.part.await_end()
    if fault.kind == "clone":
        copy = rig.boxes_of(box.site)[1]
        rig.wait_until(lambda: copy.part.is_ready, READY_WITHIN_S)
        rig.end_for_now(copy)
    if fault.kind.startswith("clock "):
        rig.wait_until(lambda: box.part.is_ready, READY_WITHIN_S)
        rig.let_pass(2)
        rig.end_wrong_clock(box)
    else:
        box.part.start()


def _begin_at_ingest(rig: Rig, fault: Fault) -> None:
    if fault.kind == "full disk":
        # A log that is already large has room for many more commits; an end in good order takes it away.
        rig.ingest.ask_to_end()
        rig.ingest.await_end()
        rig.disks["ingest"].fill(but_for=ALMOST_FULL_BYTES)
        rig.ingest.start()
        return
    rig.ingest.kill()
    if fault.kind == "keep journal":
        rig.keep_journal("kept")
    elif fault.kind == "restore journal":
        rig.restore_journal(rig.folder / "kept")


def _line(rig: Rig, fault: Fault) -> Proxy:
    return rig.ingest_proxy if fault.part == "ingest line" else rig.boxes[fault.site].proxy


def _line_faults(rig: Rig, fault: Fault) -> dict[str, Callable[[], None]]:
    line, count = _line(rig, fault), fault.count
    records, acks = (Way.DOWN, Way.UP) if fault.part == "ingest line" else (Way.UP, Way.DOWN)
    return {
        "cut": line.cut,
        "refuse": lambda: line.cut(for_good=True),
        "stall": line.stall,
        "swallow up": lambda: line.swallow(Way.UP),
        "swallow down": lambda: line.swallow(Way.DOWN),
        "slow": lambda: line.slow_down(count * 1000),
        "lose records": lambda: line.lose(records, "/log", count),
        "lose acks": lambda: line.lose(acks, "/ack", count),
        "double records": lambda: line.double(records, "/log", count),
        "double acks": lambda: line.double(acks, "/ack", count),
        "swap records": lambda: line.swap(records, "/log", count),
        "swap acks": lambda: line.swap(acks, "/ack", count),
    }

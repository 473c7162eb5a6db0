"""What a process wrote, as strace saw it, and the files that a kill or a power cut would have left at any point.

A kill leaves every write that was begun. A power cut leaves what was flushed; of what was not, any part: whole writes
are missing and others are torn between sectors.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
_LINE = re.compile(r'^\d+ +(\w+)\((\d+)<((?:\\x[0-9a-f]{2})*)>(?:, )?(?:"((?:\\x[0-9a-f]{2})*)")?(.*)\) += (-?\d+)')
_UNLINK = re.compile(r'^\d+ +unlink\w*\(.*"((?:\\x[0-9a-f]{2})+)"')
TRACED = "pwrite64,write,fsync,fdatasync,ftruncate,unlink"


@dataclass(frozen=True)
class Event:
    """One call."""

    kind: str
    """write, flush, truncate, unlink or said (to standard output)."""
    name: str
    """The file, without its folder."""
    at: int = 0
    data: bytes = b""


def events_of(log: Path, folder: Path) -> Iterator[Event]:
    """Read the log of `strace -f -y -xx -s 10000000 -e trace=TRACED`; only what touches a folder, and what was said."""
    for line in log.read_text().splitlines():
        gone = _UNLINK.match(line)
        if gone is not None:
            path = Path(_bytes(gone[1]).decode())
            if path.parent == folder:
                yield Event("unlink", path.name)
            continue
        found = _LINE.match(line)
        if found is None:
            continue
        call, descriptor, target, text, rest, result = found.groups()
        path = Path(_bytes(target).decode())
        if call == "write" and descriptor == "1":
            yield Event("said", "", data=_bytes(text))
        elif path.parent != folder or int(result) < 0:
            continue
        elif call == "pwrite64":
            assert int(result) == len(_bytes(text)), line[:100]
            yield Event("write", path.name, int(rest.rpartition(", ")[2]), _bytes(text))
        elif call == "ftruncate":
            yield Event("truncate", path.name, int(rest))
        elif call in {"fsync", "fdatasync"}:
            yield Event("flush", path.name)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class Files:
    """Files while events happen to them: what is flushed, and what was written since."""

    flushed: dict[str, bytearray] = field(default_factory=dict)
    since: dict[str, list[Event]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        match event.kind:
            case "write" | "truncate":
                self.flushed.setdefault(event.name, bytearray())
                self.since.setdefault(event.name, []).append(event)
            case "flush":
                for earlier in self.since.pop(event.name, []):
                    _apply(self.flushed[event.name], earlier)
            case "unlink":
                self.flushed.pop(event.name, None)
                self.since.pop(event.name, None)

    def leave(self, folder: Path, cut: random.Random | None) -> None:
        """Write the files as they would be found.

        Args:
            folder: empty.
            cut: draws what a power cut takes; None is a kill, which takes nothing.
        """
        for name, content in self.flushed.items():
            left = bytearray(content)
            for event in self.since.get(name, []):
                for part in [event] if cut is None else _torn(event, cut):
                    _apply(left, part)
            (folder / name).write_bytes(left)


def _apply(content: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        del content[event.at :]
    content.extend(bytes(max(0, event.at - len(content))))
    content[event.at : event.at + len(event.data)] = event.data


def _torn(event: Event, cut: random.Random) -> Iterable[Event]:
    fate = cut.choice(("whole", "lost", "torn"))
    if event.kind == "truncate" or fate == "whole":
        yield event
    elif fate == "torn":
        for start in range(0, len(event.data), SECTOR):
            if cut.random() < 0.5:
                yield Event("write", event.name, event.at + start, event.data[start : start + SECTOR])

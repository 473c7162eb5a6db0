"""A file system of a few megabytes in a file: it can be filled up, and break as one does whose card fails."""

import os
import subprocess
from pathlib import Path
from typing import Self

import pytest

_CHUNK = 64 * 1024


def unavailable(message: str) -> None:
    """Skip the test, or fail it where nothing may be missing."""
    if os.environ.get("SAKUGEN_REQUIRE_REAL") == "1":
        pytest.fail(message)
    pytest.skip(message)


class Disk:
    """An ext4 file system, mounted while the block runs. Needs root and a loop device."""

    def __init__(self, image: Path, at: Path, megabytes: int) -> None:
        """Remember where; nothing is made yet.

        Args:
            image: the file that holds it.
            at: the folder that it is mounted on.
            megabytes: how large it is.
        """
        self.at = at
        self._image = image
        self._megabytes = megabytes
        self._filler = at / "filler"

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            unavailable("only root can mount a file system")
        with self._image.open("wb") as image:
            image.truncate(self._megabytes * 1024 * 1024)
        # Without a reserve for root, who runs these tests.
        subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-m", "0", str(self._image)], check=True)
        self.at.mkdir(parents=True, exist_ok=True)
        self.mount()
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()

    def mount(self) -> None:
        done = subprocess.run(
            ["mount", "-o", "loop", str(self._image), str(self.at)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            unavailable(f"no file system can be mounted here: {done.stderr.strip()}")

    def unmount(self) -> None:
        if self.at.is_mount():
            subprocess.run(["umount", str(self.at)], check=True)

    def fill(self, but_for: int = 0) -> None:
        """Take what is left.

        Args:
            but_for: so much stays, about [bytes].
        """
        with self._filler.open("ab", buffering=0) as filler:
            for size in (_CHUNK, 512):
                try:
                    while self._free_bytes() - size >= but_for:
                        filler.write(b"\0" * size)
                except OSError:
                    pass
                os.fsync(filler.fileno())

    def _free_bytes(self) -> int:
        found = os.statvfs(self.at)
        return found.f_bavail * found.f_frsize

    def free(self) -> None:
        """Give back what `fill` took."""
        self._filler.unlink()

    def break_down(self) -> None:
        """Become read-only at once, as the kernel makes it after an error of the card."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.at)], check=True)

    def repair(self) -> None:
        """What a restart of the box does: check it and mount it again."""
        self.unmount()
        checked = subprocess.run(["e2fsck", "-fy", str(self._image)], capture_output=True, text=True, check=False)
        assert checked.returncode in {0, 1}, checked.stdout
        self.mount()

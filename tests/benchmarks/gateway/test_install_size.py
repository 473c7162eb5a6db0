"""What the gateway extra takes of a disk in a fresh environment."""

import sys
from pathlib import Path

from benchkit.run import ROOT, output

_CONSTRAINTS = str(ROOT / "constraints.txt")


def _size_mb(folder: Path) -> float:
    return int(output("du", "-sk", str(folder)).split()[0]) / 1024


def _installed_mb(folder: Path, *what: str) -> float:
    """How much an environment grows when something is installed."""
    output(sys.executable, "-m", "venv", str(folder))
    before_mb = _size_mb(folder)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    output(*pip, "-c", _CONSTRAINTS, *what)
    return _size_mb(folder) - before_mb


def test_size_of_the_gateway_extra_installed(report, tmp_path):
    mine_mb = _installed_mb(tmp_path / "ours", f"{ROOT}[gateway]")
    libraries_mb = _installed_mb(tmp_path / "theirs", "pymodbus", "paho-mqtt", "pydantic", "cryptography")
    report.add("gateway extra installed", mine_mb, "MiB", at_most=80)
    report.add("pymodbus, paho, pydantic and cryptography alone", libraries_mb, "MiB", compared=True)
    for part in _largest(tmp_path / "ours"):
        report.add(f"of it {part.name}", _size_mb(part), "MiB")
    report.note("Byte code included; pip, which each fresh environment holds, is not.")


def _largest(environment: Path) -> list[Path]:
    (packages,) = environment.glob("lib/python*/site-packages")
    folders = [
        path for path in packages.iterdir() if path.is_dir() and path.name not in {"pip", "setuptools", "pkg_resources"}
    ]
    return sorted(folders, key=_size_mb, reverse=True)[:6]

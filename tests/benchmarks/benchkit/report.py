"""Figures of one benchmark: in go numbers with their targets, out come a table for people and a JSON line for tools."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchkit.machine import machine
from rich.console import Console
from rich.table import Table

Size = TypeVar("Size")
RESULTS = "SAKUGEN_BENCH_RESULTS"
"""Names the file to which each benchmark adds a line."""
TINY = "SAKUGEN_BENCH_TINY"
"""When it is 1, sizes are such that all benchmarks run in a minute or two; the figures mean nothing."""
_WIDTH = 150


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done."""

    tiny: bool

    @classmethod
    def from_environment(cls) -> "Sizes":
        return cls(os.environ.get(TINY) == "1")

    def of(self, full: Size, tiny: Size) -> Size:
        """One size of two."""
        return tiny if self.tiny else full


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it should be."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    compared: bool = False
    """It is not ours: it is what ours is compared with."""

    @property
    def target(self) -> str:
        if self.at_most is not None:
            return f"≤ {self.at_most:g} {self.unit}"
        return "" if self.at_least is None else f"≥ {self.at_least:g} {self.unit}"

    @property
    def verdict(self) -> str:
        if not self.target:
            return ""
        over = self.at_most is not None and self.value > self.at_most
        under = self.at_least is not None and self.value < self.at_least
        return "missed" if over or under else "met"


@dataclass
class Report:
    """Collects the figures of one benchmark."""

    name: str
    tiny: bool
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, **how: float | bool) -> None:
        """Add one of our figures: `at_most` or `at_least` is its target, `compared=True` says that it is not ours."""
        self.figures.append(Figure(name, value, unit, **how))

    def note(self, text: str) -> None:
        """Add a sentence below the table."""
        self.notes.append(text)

    def publish(self) -> None:
        """Print the table; add a line to the file of results when one is named."""
        if not self.figures:
            return
        where = machine()
        self._print(where)
        if path := os.environ.get(RESULTS):
            figures = [
                {
                    "name": figure.name, "value": figure.value, "unit": figure.unit, "target": figure.target,
                    "verdict": figure.verdict, "compared": figure.compared,
                }
                for figure in self.figures
            ]  # fmt: skip
            line = {"benchmark": self.name, "tiny": self.tiny, "figures": figures, "notes": self.notes, **where}
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _print(self, where: dict[str, str]) -> None:
        table = Table()
        for column in ("what", "figure", "target", ""):
            table.add_column(column, justify="right" if column == "figure" else "left")
        for figure in self.figures:
            name = f"  beside it: {figure.name}" if figure.compared else figure.name
            verdict = "[bold red]missed[/]" if figure.verdict == "missed" else figure.verdict
            table.add_row(name, f"{figure.value:,.4g} {figure.unit}", figure.target, verdict)
        console = Console(width=_WIDTH)
        console.print(f"\n[bold]{self.name}[/]", highlight=False)
        console.print(table)
        console.print("  " + ", ".join(f"{key} {value}" for key, value in where.items()), highlight=False)
        for note in self.notes:
            console.print(f"  {note}")
        if self.tiny:
            console.print("  Tiny sizes: this shows that the benchmark runs; its figures mean nothing.")

"""A gateway with devices on loopback, an embedded broker and a real ingest, configured and not started."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchkit.plant import Plant, Shape
from benchkit.responder import Responder

from sakugen.broker import EmbeddedBroker

# The serial bus of the gateway's tests, `linekit`, is found by its folder.
sys.path.insert(0, str(Path(__file__).parents[2] / "gateway"))

NewPlant = Callable[[Shape], Plant]


@pytest.fixture
def new_plant(tmp_path: Path, broker: EmbeddedBroker, responder: Responder) -> Iterator[NewPlant]:
    """`new_plant(Shape(200, 50))`: each call is another folder, with empty outbox and journal."""
    with ExitStack() as stack:
        count = 0

        def new(shape: Shape) -> Plant:
            nonlocal count
            count += 1
            plant = Plant(tmp_path / f"plant-{count}", shape, responder.serve(shape.ports), broker)
            return stack.enter_context(plant)

        yield new

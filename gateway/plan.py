"""Which requests read a poll group: registers in, blocks out. Pure.

Only registers that touch or overlap share a block: an address that no map declares is never read, because some
devices answer it with an exception for the whole request. A scale factor is the exception: it is read together with
its value, with whatever lies between, since it may change between two requests.
"""

from collections.abc import Sequence

from gateway.errors import PlanError
from metering.decode import Block
from metering.devicemap import Register

MAX_WORDS = 125
"""Most registers that one Modbus request may ask for."""


def plan_blocks(registers: Sequence[Register]) -> tuple[Block, ...]:
    """Lay out the requests for a group of registers.

    Args:
        registers: of one device, in any order.

    Returns:
        Blocks in order of function and address; each register and its scale factor lie in one block.

    Raises:
        PlanError: when a register and its scale factor are too far apart for one request.
    """
    spans = sorted({_span(register) for register in registers})
    blocks: list[tuple[int, int, int]] = []
    for function, start, end in spans:
        if blocks:
            last_function, last_start, last_end = blocks[-1]
            if function == last_function and start <= last_end and max(end, last_end) - last_start <= MAX_WORDS:
                blocks[-1] = (function, last_start, max(end, last_end))
                continue
        blocks.append((function, start, end))
    return tuple(Block(function, start, end - start) for function, start, end in blocks)


def _span(register: Register) -> tuple[int, int, int]:
    start, end = register.address, register.address + register.words
    if register.scale_register is not None:
        start = min(start, register.scale_register.address)
        end = max(end, register.scale_register.address + 1)
    if end - start > MAX_WORDS:
        raise PlanError(
            f"register {register.name!r} and its scale factor span {end - start} addresses; "
            f"one request reads at most {MAX_WORDS}"
        )
    return register.function, start, end

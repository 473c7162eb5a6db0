"""The box on the site: reads meters over Modbus, keeps every reading, publishes signed records over MQTT.

A reading's way through this package: `schedule` says which slot is due, `line` reads the blocks that `plan` laid
out and believes only answers to what was asked, `poll` turns words into quanta or a reason, `outbox` commits the slot
and seals records, `sender` decides what to send and what an acknowledgement lets go, `publisher` carries bytes to the
broker. `agent` starts all of it; `config` is the door.

Nothing here writes to a meter or takes a command from the network.
"""

__version__ = "0.1.0"
"""What births and the status call this agent."""

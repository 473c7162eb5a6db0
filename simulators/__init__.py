"""Plants that do not exist, with meters that answer Modbus TCP as real ones do, and a ledger of every answer they gave.

Read in this order: `plants` (physics: what happens at an instant), `devices` (register images typed from datasheets),
`roster` (which instrument of a plant has which image, unit id and nameplate), `modbus` (the TCP server), `ledger`
(every answer served), `serve` (the process). `truth` and `score` are for afterwards: what the plants really saved,
and whether a consumer's journal holds exactly what was served.

Nothing here imports the gateway: registers are typed a second time, from the same public facts, so that agreement
between both is a check and not a tautology.
"""

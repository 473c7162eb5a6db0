"""From signed records on MQTT to a journal on disk, and back an acknowledgement that lets the gateway forget.

A record's way: `consumer` (MQTT, enqueues only) → `validate` (signature, then where it belongs in its stream; pure) →
`store.journal` (exact bytes, fsynced) → `acks` (what to tell the gateway, pure) → `consumer` again. `service` is the
loop that does this in this order and no other. `quarantine` lists what was not appended; `adopt` lets a new journal
succeed an old one. `forward` copies good readings into InfluxDB behind all this, at its own pace.

Everybody else reads through `ingest.store` alone: `store.reader` (rows of the journal) and `store.readings` (records →
arrays).
"""

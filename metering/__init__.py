"""The words that every room shares: what is measured, how it is written down, signed and timed.

A gateway makes records, ingest keeps them, compute reads them, a verifier checks them; this package is what all four
agree on. It needs the standard library, pydantic and cryptography, nothing else: it also runs on a small ARM box.

Read in this order: `measurands` (what is measured, with units and quanta), `quality` (why a value is missing or
doubtful), `registers`, `devicemap` and `decode` (from register words to quanta), `record` and `ack` (the wire), `note`
and `keys` (signatures), `clock` (time is handed in), `config` (one TOML file per process).
"""

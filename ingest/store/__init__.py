"""Where records are kept and how they are read again.

`journal` is the one read-write door to the SQLite file, `reader` the read-only one, `readings` turns exact record
bytes (from the journal or from a bundle) into arrays, `influx` writes to InfluxDB. `sources` gives the readings of an
interval from the journal, `archive` from Parquet, `influx_reader` from InfluxDB. Of ingest, compute and everything
behind it may import this package and nothing else.
"""

"""What people look at: the Grafana dashboard as code, and the built-in console.

In: the measurement `reading` in InfluxDB (Grafana), the journal and compute's results (console). Out: pictures for
people. Nothing here calculates: what compute should know, compute says.

`grafana.build` writes the dashboard; it needs the standard library only. `console` is the first page of `sakugen up`, a
process of its own; it needs the extra `dashboards`.
"""

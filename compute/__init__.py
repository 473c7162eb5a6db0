"""From readings to emission reductions: exact, and conservative by construction.

In: the signed records of a project's journal and its `project.toml`. Out: a `Result` per monitoring period, with
every number a statement needs. Nothing here talks MQTT or HTTP, and nothing changes a reading.

The way of a tonne, one file a step: `sources` picks the readings that may count, `kernels` turns two counter readings
into a pair [low, high] (`plain` is its twin in plain Python), `vintages` splits the pairs at local midnight,
`methodologies` turns amounts into emissions, `engine` puts it together, `result` holds it, `results` shows it to the
console, `service` runs it.
"""

__all__ = ["engine", "project", "result", "rulesets", "service"]

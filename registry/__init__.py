"""What an auditor sees: statements, their signatures, bundles, the offline check, and the HTTP API.

Nothing here calculates a number; `compute` does, and the check asks it to do so again.

Read in this order: `canonical` (the one way to write JSON), `evidence` (records as chained runs), `statement` (the
document), `signing` and `jwks` (who vouches for it), `states` and `store` (its life), `draft` (drawing one up,
exporting its bundle), `bundle` (the zip), `check` (the offline check, from record bytes to the whole tonnes), `report`
(what the check says), `api` (the same over HTTP).
"""

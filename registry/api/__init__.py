"""The HTTP side of the registry: stored bytes out, problems as RFC 9457; the only place that imports FastAPI.

Read `app` (the routes), `problems` (every error), `cursor` (paging), `serve` (uvicorn on a socket of ours).
"""

"""The Grafana dashboard: `build` makes the JSON beside it; `provisioning/` tells Grafana where to find both."""

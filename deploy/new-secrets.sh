#!/bin/sh
# In: nothing. Out: `.env` beside docker-compose.yml, with passwords drawn at random; an existing one is never replaced.
set -eu
cd "$(dirname "$0")/.."
drawn() { od -An -N 24 -t x1 /dev/urandom | tr -d ' \n'; }
umask 077
set -o noclobber
cat > .env <<SECRETS
# Made by deploy/new-secrets.sh. Never commit it.
SAKUGEN_INFLUX_PASSWORD=$(drawn)
SAKUGEN_INFLUX_TOKEN=$(drawn)
SAKUGEN_GRAFANA_PASSWORD=$(drawn)
SECRETS
echo "wrote $(pwd)/.env; Grafana's user is admin, its password is SAKUGEN_GRAFANA_PASSWORD in that file"

#!/bin/sh
# In: nothing, or what an earlier run left. Out: the first set of keys, for each gateway its own key and configuration, and
# project files whose monitoring period begins now. Runs as the service `keys`; a key or project that exists is never replaced.
set -eu
root=${SAKUGEN_ROOT:-/var/lib/sakugen}
config=${SAKUGEN_CONFIG:-/etc/sakugen}
keys=$root/keys

if [ ! -e "$keys/keys.toml" ]; then
    ${SAKUGEN:-sakugen} keys bootstrap "$keys" \
        --gateway mongolia-farm/gw-solar \
        --gateway ulaanbaatar-heat/gw-boiler \
        --gateway hanoi-grid/gw-transformers
fi
ack=$(sed -n 's/^public_key = "\(ingest+.*\)"$/\1/p' "$keys/keys.toml" | head -n 1)
[ -n "$ack" ] || { echo "$keys/keys.toml: ingest has no ack key" >&2; exit 1; }

# Each gateway sees its own volume and nobody else's key.
for gateway in mongolia-farm-gw-solar ulaanbaatar-heat-gw-boiler hanoi-grid-gw-transformers; do
    name=${gateway##*-gw-}
    [ ! -e "$keys/$gateway.key" ] || mv "$keys/$gateway.key" "$root/gateway-$name/gateway.key"
    # The public key holds + and / but never |.
    sed "s|@ACK_KEY@|$ack|" "$config/gateway-$name.toml" > "$root/gateway-$name/gateway.toml"
done

# Dates of Ulaanbaatar, eight hours ahead; in Ha Noi the new day begins an hour later.
day() { TZ=ULAT-8 date -d "$1" +%F; }
for name in solar boiler transformers; do
    project=$root/projects/project-$name.toml
    [ -e "$project" ] || sed \
        -e "s|@TODAY@|$(day today)|" -e "s|@TOMORROW@|$(day tomorrow)|" -e "s|@NEXT_YEAR@|$(day 'tomorrow +1 year')|" \
        "$config/project-$name.toml" > "$project"
done

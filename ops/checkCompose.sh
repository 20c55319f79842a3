#!/bin/sh
# `docker compose config` on every profile, where the client exists. A test reads the same file without it.
cd "$(dirname "$0")/.." || exit 1
if ! docker compose version >/dev/null 2>&1; then
  echo 'docker compose config: no client here, not run'
  exit 0
fi
docker compose --profile monitoring --profile explorer config --quiet && echo 'docker compose config: ok'

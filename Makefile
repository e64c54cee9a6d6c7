# `make run` and `make test` need python3.11+ with venv, and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The lists are complete, so --no-deps: what silero-vad and torch ask for and nobody uses stays out (requirements/uv.toml).
PIP := $(BIN)/pip install --disable-pip-version-check --no-deps
CLIENT := -e clients/python
# pip says nothing while it unpacks, which takes half a minute: this does, as long as the shell it is started by.
GROWTH = (size() { du -sm $(VENV) | cut -f1; }; was=`size`; while sleep 3 && kill -0 $$$$; do is=`size`; \
	[ $$is -eq $$was ] || echo "  $$is MB of some $(1) MB are in place …"; was=$$is; done) 2>/dev/null &
BENCH := all --launch --talkers 1,2 --seconds 30 --max-talkers 16

CLIENTS := .venv-clients
JAVASCRIPT := tests/dialects/javascript

.PHONY: run test test-stack test-clients test-again test-livekit-oldest check format bench chaos fuzz soak docs docs-site \
	messages packages clean

run: $(VENV)/run.stamp  ## the whole service on this machine; Ctrl-C stops it; ARGS=--dry-run only checks
	@deploy/cublas.sh $(BIN)
	@echo "Starting …"
	@exec $(BIN)/python manage.py stt $(ARGS)

test: $(VENV)/dev.stamp  ## the whole suite, on real parts; two files at a time, since much of it waits
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-stack: $(VENV)/dev.stamp  ## what the images run, between Debian's nginx, PostgreSQL, Redis and Prometheus
	@$(BIN)/python -m pytest -m stack tests/stack

test-clients: $(VENV)/dev.stamp $(CLIENTS)/clients.stamp  ## pipecat and the JavaScript SDKs against the service
	@$(BIN)/python -m pytest -m sdks tests/dialects

test-again: $(VENV)/dev.stamp  ## what failed in the last run, once more
	@$(BIN)/python -m pytest -m "" --last-failed --last-failed-no-failures none

test-livekit-oldest:  ## the plugin on the oldest LiveKit Agents it supports, in an environment of its own
	@test -d .venv-livekit || $(PYTHON) -m venv .venv-livekit
	@.venv-livekit/bin/pip install -q --disable-pip-version-check livekit-agents==1.7.1 pytest==9.2.0 \
	    pytest-asyncio==1.5.0 msgspec websockets soundfile
	@PYTHONPATH=. .venv-livekit/bin/python -m pytest -c /dev/null --rootdir tests/clients --confcutdir tests/clients \
	    -o asyncio_mode=auto -o markers="model: " -m "not model" -q $(filter-out %_real.py,$(wildcard tests/clients/test_livekit_plugin*.py))

check: $(VENV)/dev.stamp  ## lint, types, architecture, configuration
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py check --fail-level ERROR
	$(BIN)/python manage.py makemigrations --check --dry-run
	PATH=$(BIN):$$PATH deploy/lint.sh

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp  ## starts the service and measures it; ARGS="capacity --manifest …" for more (benchmarks/README.md)
	$(BIN)/python -m benchmarks $(or $(ARGS),$(BENCH))

chaos: $(VENV)/dev.stamp  ## random faults under load; ARGS="--minutes 10 --talkers 20 --persistent" (docs/reliability.md)
	$(BIN)/python -m reliability chaos $(ARGS)

fuzz: $(VENV)/dev.stamp  ## 100,000 inputs and more to the decoder, the sessions, a running process
	FUZZ_INPUTS=$(or $(INPUTS),100000) $(BIN)/python -m pytest tests/fuzz

soak: $(VENV)/dev.stamp  ## memory, files, threads, keys over time; ARGS="--minutes 20 --talkers 20"
	$(BIN)/python -m reliability soak $(ARGS)

docs: $(VENV)/dev.stamp  ## record the examples of the protocols, write what is generated
	$(BIN)/python -m docs.capture
	PYTHONPATH=clients/python/src $(BIN)/python -m tests.golden
	$(BIN)/python -m docs.generate

docs-site: $(VENV)-docs/stamp  ## the documentation as a site, in site/; a broken link is an error
	rm -rf site .site && mkdir .site
	git ls-files -z -- '*.md' deploy examples docs .env.example docker-compose.yml Dockerfile LICENSE \
		transcription/static/transcription/icon.svg | xargs -0 cp --parents -t .site
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict --quiet --config-file mkdocs.yml
	@! grep -rE '<(script|link|img)[^>]+(src|href)="?https?:' site --include='*.html'  # nothing comes from another host
	@echo "site/index.html: open it, or serve it with python3 -m http.server -d site"

messages: $(VENV)/dev.stamp  ## gathers what people read into the catalogues, lists what is not translated, compiles
	@$(BIN)/python deploy/messages.py

packages: $(VENV)/dev.stamp  ## the clients' sdists and wheels, in dist/ (docs/releases.md)
	rm -rf dist
	$(BIN)/python deploy/packages.py dist

clean:
	rm -rf $(CLIENTS) $(JAVASCRIPT)/node_modules $(VENV) $(VENV)-docs $(VENV)-image-* staticfiles site .site dist

$(VENV)/bin/pip:
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Whisper STT needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)-docs/stamp: requirements/docs.txt
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/pip install -q --disable-pip-version-check --no-deps -r requirements/docs.txt
	@touch $@

$(VENV)/run.stamp: $(VENV)/bin/pip requirements/web.txt requirements/worker.txt requirements/embedded.txt
	@echo "Installing the requirements (once; some 840 MB on disk, and the model another 140) …"
	@$(call GROWTH,840) $(PIP) -r requirements/web.txt -r requirements/worker.txt -r requirements/embedded.txt $(CLIENT)
	@touch $@

$(VENV)/dev.stamp: $(VENV)/bin/pip requirements/dev.txt requirements/smart-turn.txt
	@echo "Installing what checks and tests need (once) …"
	@$(call GROWTH,2600) $(PIP) -r requirements/dev.txt -r requirements/smart-turn.txt $(CLIENT)
	@touch $@ $(VENV)/run.stamp

$(CLIENTS)/clients.stamp: requirements/clients.txt $(JAVASCRIPT)/package-lock.json
	@echo "Installing other services' clients in $(CLIENTS) (once; some 700 MB) …"
	@test -d $(CLIENTS) || $(PYTHON) -m venv $(CLIENTS)
	@$(CLIENTS)/bin/pip install -q --disable-pip-version-check --no-deps --no-compile -r requirements/clients.txt
	@PATH=$(CURDIR)/$(CLIENTS)/bin:$$PATH npm ci --prefix $(JAVASCRIPT) --silent --no-audit --no-fund
	@touch $@

# One file, three images; each target takes the commands of deploy/entrypoint.sh:
#
#   docker build -t whisper-stt .                         everything in one container (the default, last target)
#   docker build --target web    -t whisper-stt-web .     Daphne alone: no model, no CUDA; 478 MB of Python packages
#   docker build --target worker -t whisper-stt-worker .  one GPU worker; 567 MB of Python packages on the CUDA runtime
#
#   docker run --gpus all -p 8000:8000 -v stt-data:/data whisper-stt
#
# PORTUGUESE? THE DEFAULT MODEL, distil-large-v3, KNOWS ENGLISH ONLY. Build with
#   --build-arg WHISPER_MODEL=large-v3-turbo
# An empty WHISPER_MODEL bakes no model in; the worker then downloads STT_WHISPER_MODEL into /models when it starts.
ARG WHISPER_MODEL=distil-large-v3

# CTranslate2 4.8 brings the CUDA runtime itself and loads libcublas.so.12 besides: the `runtime` flavour has it. cuDNN is
# not asked for any more. This base wants a driver of 570 or newer on GeForce cards.
ARG CUDA_IMAGE=nvidia/cuda:12.8.1-runtime-ubuntu24.04


# ---- Python 3.11 that runs on any glibc (Ubuntu 24.04 has only 3.12), and an environment to fill
FROM python:3.11.15-slim-bookworm AS build
ENV UV_PYTHON_INSTALL_DIR=/opt/python \
    PATH=/opt/venv/bin:$PATH
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv python install 3.11.15 \
    && uv venv --seed --managed-python --python 3.11.15 /opt/venv
WORKDIR /app
COPY requirements/ requirements/

# The lists are complete, so --no-deps: what is not listed (torch, for one) is not wanted.
FROM build AS worker-venv
RUN pip install --no-cache-dir --no-deps -r requirements/worker.txt

FROM worker-venv AS all-venv
RUN pip install --no-cache-dir --no-deps -r requirements/web.txt -r requirements/embedded.txt


# ---- The model. Only what downloads it is copied, so that other changes do not download it again.
FROM worker-venv AS model
COPY workers/__init__.py workers/
COPY workers/engines/__init__.py workers/engines/model_store.py workers/engines/
ARG WHISPER_MODEL
RUN mkdir /models \
    && if [ -n "$WHISPER_MODEL" ]; then STT_MODEL_DIR=/models python -m workers.engines.model_store "$WHISPER_MODEL"; fi


# ---- web
FROM python:3.11.15-slim-bookworm AS web
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home stt
WORKDIR /app
COPY requirements/ requirements/
RUN pip install --no-cache-dir --no-deps -r requirements/web.txt
COPY manage.py ./
COPY launcher/ launcher/
COPY sttproject/ sttproject/
COPY transcription/ transcription/
COPY deploy/entrypoint.sh deploy/healthcheck.py deploy/drain.py deploy/
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/healthcheck.py"]
ENTRYPOINT ["tini", "--", "/app/deploy/entrypoint.sh"]
CMD ["web"]


# ---- What the worker and the all-in-one image share
FROM ${CUDA_IMAGE} AS cuda
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home stt \
    && install -d -o stt -g stt /data /models
COPY --from=build /opt/python /opt/python
WORKDIR /app
ARG WHISPER_MODEL
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HOME=/models/.huggingface \
    STT_MODEL_DIR=/models \
    STT_WHISPER_MODEL=${WHISPER_MODEL:-distil-large-v3}
ENTRYPOINT ["tini", "--", "/app/deploy/entrypoint.sh"]


# ---- worker. Healthy while its heartbeat is in Redis; one that hangs exits by itself and is restarted.
FROM cuda AS worker
COPY --from=worker-venv /opt/venv /opt/venv
COPY --from=model --chown=10001:10001 /models /models
COPY manage.py ./
COPY launcher/ launcher/
COPY sttproject/ sttproject/
COPY transcription/ transcription/
COPY workers/ workers/
COPY deploy/entrypoint.sh deploy/healthcheck.py deploy/drain.py deploy/
USER 10001:10001
HEALTHCHECK --interval=15s --timeout=5s --start-period=600s --retries=3 CMD ["python", "deploy/healthcheck.py", "worker"]
CMD ["worker"]


# ---- all-in-one: embedded Valkey (unless STT_REDIS_URL is set), worker and web; /data holds SQLite and what is fetched
FROM cuda AS all-in-one
COPY --from=all-venv /opt/venv /opt/venv
COPY --from=model --chown=10001:10001 /models /models
COPY manage.py ./
COPY launcher/ launcher/
COPY sttproject/ sttproject/
COPY transcription/ transcription/
COPY workers/ workers/
COPY deploy/entrypoint.sh deploy/healthcheck.py deploy/drain.py deploy/
ENV DATABASE_URL=sqlite:////data/db.sqlite3 \
    STT_CACHE_DIR=/data/cache \
    HF_HOME=/data/huggingface
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "deploy/healthcheck.py"]
CMD ["stt"]

# One file, three images; each target takes the commands of deploy/entrypoint.sh:
#
#   docker build -t whisper-stt .                         everything in one container (the default, last target)
#   docker build --target web    -t whisper-stt-web .     Daphne alone: no model, no CUDA
#   docker build --target worker -t whisper-stt-worker .  one GPU worker
#
# docs/gpu.md has their sizes.
#
#   docker run --gpus all -p 8000:8000 -v stt-data:/data whisper-stt
#
# PORTUGUESE? THE DEFAULT MODEL, distil-large-v3, KNOWS ENGLISH ONLY. Build with
#   --build-arg WHISPER_MODEL=large-v3-turbo
# An empty WHISPER_MODEL bakes no model in; the worker then downloads STT_WHISPER_MODEL into /models when it starts.
ARG WHISPER_MODEL=distil-large-v3


# ---- What all are made of; on arm64, too
FROM python:3.11.15-slim-bookworm AS python
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home stt
WORKDIR /app
ENTRYPOINT ["tini", "--", "/app/deploy/entrypoint.sh"]

FROM python AS build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/ requirements/

# CTranslate2 4.8 has the CUDA runtime in it and loads libcublas.so.12 besides, no cuDNN. NVIDIA's wheel takes any driver that
# CUDA 12 does, 525 and newer; its base images refuse to start below the version they were made for (12.8: 570). For arm64
# CTranslate2's wheel has no CUDA.
FROM build AS cuda
RUN mkdir /opt/cuda \
    && if [ "$(uname -m)" = x86_64 ]; then \
        pip install --no-cache-dir --no-deps --target /opt/cuda -r requirements/cuda.txt; \
    fi

# The lists are complete, so --no-deps: what is not listed (torch, for one) is not wanted.
FROM build AS worker-venv
ARG OTEL=""
RUN pip install --no-cache-dir --no-deps -r requirements/worker.txt ${OTEL:+-r requirements/otel.txt}
# For STT_TURN_MODEL=smart-turn (docs/turns.md); of what is installed one file is used.
ARG SMART_TURN=""
RUN if [ -n "$SMART_TURN" ]; then pip install --no-cache-dir --no-deps -r requirements/smart-turn.txt; fi

FROM worker-venv AS all-venv
ARG OTEL=""
RUN pip install --no-cache-dir --no-deps -r requirements/web.txt -r requirements/embedded.txt ${OTEL:+-r requirements/otel.txt}


# ---- The model. Only what downloads it is copied, so that other changes do not download it again.
FROM worker-venv AS model
COPY workers/__init__.py workers/
COPY workers/engines/__init__.py workers/engines/model_store.py workers/engines/
ARG WHISPER_MODEL
RUN mkdir /models \
    && if [ -n "$WHISPER_MODEL" ]; then STT_MODEL_DIR=/models python -m workers.engines.model_store "$WHISPER_MODEL"; fi


# ---- web
FROM python AS web
COPY requirements/ requirements/
ARG OTEL=""
RUN pip install --no-cache-dir --no-deps -r requirements/web.txt ${OTEL:+-r requirements/otel.txt}
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
CMD ["web"]


# ---- What the worker and the all-in-one image share
FROM python AS decoding
RUN install -d -o stt -g stt /data /models
COPY --from=cuda /opt/cuda /opt/cuda
COPY --from=model --chown=10001:10001 /models /models
ARG WHISPER_MODEL
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LD_LIBRARY_PATH=/opt/cuda/nvidia/cublas/lib:/opt/cuda/nvidia/cuda_nvrtc/lib \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    HF_HOME=/models/.huggingface \
    STT_MODEL_DIR=/models \
    STT_WHISPER_MODEL=${WHISPER_MODEL:-distil-large-v3}


# ---- worker. Healthy while its heartbeat is in Redis; one that hangs exits by itself and is restarted.
FROM decoding AS worker
COPY --from=worker-venv /opt/venv /opt/venv
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
FROM decoding AS all-in-one
COPY --from=all-venv /opt/venv /opt/venv
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

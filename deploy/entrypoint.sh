#!/bin/sh
# The commands of the images: web, worker, webhooks, migrate, housekeeping, purge and stt (all of it). Arguments after
# the name are passed on; any other command is run as it is.
set -eu

# What is mounted from a host (a bind mount, a network volume, NFS) is root's there, and this is not root.
must_write() {
    if mkdir -p "$1" 2>/dev/null && [ -w "$1" ]; then return; fi
    place=$1
    while [ ! -e "$place" ]; do place=$(dirname "$place"); done
    echo "$place cannot be written by user $(id -u) ($(stat -c 'it belongs to %u:%g, mode %a' "$place")). Mounted from a host?" \
        "There: chown -R $(id -u):$(id -g) the directory. Or use a named volume; in Kubernetes, fsGroup." >&2
    exit 73
}

# A worker whose model is neither in the image nor in the volume fetches it before it starts, for a device that decodes.
fetch_model() {
    model=${STT_WHISPER_MODEL:-distil-large-v3}
    stored=${STT_MODEL_DIR:-/models}/$model
    if [ "${STT_ENGINE:-whisper}" = echo ] || [ -d "$model" ]; then return; fi
    if [ -f "$stored/model.bin" ] && [ -f "$stored/config.json" ]; then return; fi
    must_write "${STT_MODEL_DIR:-/models}"
    python -m workers.engines.trial "${STT_DEVICE:-cuda}" "${STT_COMPUTE_TYPE:-float16}" >&2
    python -m workers.engines.model_store "$model"
}

# Compose says which profiles are on (and sets the variable even where there are none).
tell_of_no_worker() {
    case ,${COMPOSE_PROFILES-gpu}, in
        *,gpu,* | *,gpu-1,* | *,cpu,* | *,\*,*) ;;
        *)
            echo "COMPOSE_PROFILES names no worker: unless one is started another way, clients get nothing but" \
                "QUEUE_CONGESTION. Set COMPOSE_PROFILES=gpu (or cpu) in .env, and: docker compose up -d" >&2
            ;;
    esac
}

name=${1:-stt}
[ $# -eq 0 ] || shift
case $name in
    web)
        tell_of_no_worker
        exec python -m sttproject.daphne -b "${STT_HOST:-0.0.0.0}" -p "${STT_PORT:-8000}" --application-close-timeout 75 \
            --websocket_timeout -1 \
            sttproject.asgi:application "$@"
        ;;
    worker)
        fetch_model
        quiet=
        [ "${STT_LOG_FORMAT:-text}" != json ] || quiet=-q  # no banner among the lines
        exec celery ${quiet:+"$quiet"} -A sttproject worker -P threads -c "${STT_WORKER_THREADS:-16}" -Q stt \
            --without-gossip --without-mingle -l WARNING "$@"
        ;;
    migrate) exec python manage.py migrate "$@" ;;
    housekeeping) exec python manage.py housekeeping "$@" ;;
    purge) exec python manage.py purge --every 24 "$@" ;;
    webhooks) exec python manage.py webhooks "$@" ;;
    stt)
        [ -z "${STT_CACHE_DIR:-}" ] || must_write "$STT_CACHE_DIR"
        exec python manage.py stt "$@"
        ;;
    *) exec "$name" "$@" ;;
esac

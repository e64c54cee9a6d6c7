#!/bin/sh
# The commands of the images: web, worker, migrate, purge and stt (all of it). Arguments after the name are passed on;
# any other command is run as it is.
set -eu

# A worker whose model is neither in the image nor in the volume fetches it before it starts.
fetch_model() {
    model=${STT_WHISPER_MODEL:-distil-large-v3}
    stored=${STT_MODEL_DIR:-/models}/$model
    if [ "${STT_ENGINE:-whisper}" = echo ] || [ -d "$model" ]; then return; fi
    if [ -f "$stored/model.bin" ] && [ -f "$stored/config.json" ]; then return; fi
    python -m workers.engines.model_store "$model"
}

name=${1:-stt}
[ $# -eq 0 ] || shift
case $name in
    web)
        exec python -m sttproject.daphne -b "${STT_HOST:-0.0.0.0}" -p "${STT_PORT:-8000}" --application-close-timeout 75 \
            --websocket_timeout -1 \
            sttproject.asgi:application "$@"
        ;;
    worker)
        fetch_model
        exec celery -A sttproject worker -P threads -c "${STT_WORKER_THREADS:-16}" -Q stt \
            --without-gossip --without-mingle -l WARNING "$@"
        ;;
    migrate) exec python manage.py migrate "$@" ;;
    purge) exec python manage.py purge --every 24 "$@" ;;
    stt) exec python manage.py stt "$@" ;;
    *) exec "$name" "$@" ;;
esac

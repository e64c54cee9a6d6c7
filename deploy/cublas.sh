#!/bin/sh
# Put cuBLAS into an environment: deploy/cublas.sh .venv/bin. Does nothing where there is no NVIDIA driver to use it with,
# where CTranslate2 has no CUDA (arm64), and where it is already. All else of CUDA is in CTranslate2's package.
set -eu
cd "$(dirname "$0")/.."
bin=$1
[ "$(uname -m)" = x86_64 ] && nvidia-smi -L >/dev/null 2>&1 || exit 0
if "$bin/python" -c 'from workers.engines import cuda; cuda.load_libraries()' 2>/dev/null; then exit 0; fi
echo "There is an NVIDIA card: installing cuBLAS (once; 1.1 GB on disk) …"
"$bin/python" -m pip install --disable-pip-version-check --no-deps -r requirements/cuda.txt

#!/usr/bin/env bash
# Measurements on a CUDA GPU within 8 minutes; docs/gpu.md explains them.
#
#   benchmarks/gpu.sh [--out FILE] [--seconds N]     on a computer with a CUDA GPU
#   benchmarks/gpu.sh --dry                          tries every part on a processor, in a tiny form
#   WHEELS=FOLDER benchmarks/gpu.sh                  installs missing packages from wheels, without the internet
#   PYTHON=python3.12 benchmarks/gpu.sh              by default .venv/bin/python if there is one, else python3
#
# Everything is written to a temporary folder that is removed at the end, apart from the JSON file.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

python=${PYTHON:-}
if [[ -z $python ]]; then
  python=python3
  if [[ -x $root/.venv/bin/python ]]; then python=$root/.venv/bin/python; fi
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM
export TMPDIR=$scratch

missing=$("$python" -m benchmarks.gpu --missing)
if [[ -n $missing && -n ${WHEELS:-} ]]; then
  while read -r package; do
    # without dependencies: they are in the list themselves, or installed
    "$python" -m pip install --quiet --quiet --disable-pip-version-check --root-user-action ignore --no-index \
      --no-deps --find-links "$WHEELS" --target "$scratch/packages" "$package" || echo "No wheel of $package fits in $WHEELS." >&2
  done <<<"$missing"
  export PYTHONPATH=$PYTHONPATH:$scratch/packages
elif [[ -n $missing ]]; then
  echo "Not installed: ${missing//$'\n'/, }. Parts that need them are left out; WHEELS=FOLDER installs them." >&2
fi

"$python" -m benchmarks.gpu --spent "$SECONDS" "$@"

#!/bin/sh
# Runs its arguments with $PYTHON if given, else with .venv's Python, else with the first one in PATH that is new enough.
if [ -n "$PYTHON" ]; then
  if ! command -v "$PYTHON" >/dev/null 2>&1; then
    echo "PYTHON=$PYTHON is not a program: give the path of a Python 3.11 or newer." >&2
    exit 1
  fi
  exec "$PYTHON" "$@"
fi
if [ -x .venv/bin/python ]; then
  exec .venv/bin/python "$@"
fi
for name in python3 python3.13 python3.12 python3.11; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    exec "$name" "$@"
  fi
done
if command -v python3 >/dev/null 2>&1; then
  exec python3 "$@"
fi
echo "No Python found: Atrium needs 3.11 or newer; install it (Debian: apt-get install python3.11, macOS: brew install python@3.13)." >&2
exit 1

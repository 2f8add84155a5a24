#!/usr/bin/env bash
# Start a study in a folder, or go on with the one that is there: start_or_resume.sh OUT [options of study/run.py]
#
# What schedulers run: they start a program again that was cut off, and then it has to go on. $PYTHON names the Python.
set -euo pipefail

out=${1:?the folder of the study}
shift
if test -f "$out/study.json"; then
    exec "${PYTHON:-python}" study/run.py --resume "$out"
fi
exec "${PYTHON:-python}" study/run.py --out "$out" "$@"

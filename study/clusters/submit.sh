#!/usr/bin/env bash
# Send a study to a running Ray cluster: study/clusters/submit.sh NAME [options of study/run.py]
#
#   RAY_API_SERVER_ADDRESS=http://127.0.0.1:8265 STORAGE=/shared/entprop study/clusters/submit.sh first --budget 4N
#
# Run it in the project's folder, with a tunnel to the cluster's dashboard (ssh -L 8265:127.0.0.1:8265 HEAD) and the
# cluster's token in ~/.ray/auth_token. The program lives on the cluster: this terminal may close. STORAGE is a folder
# that all machines see. The same NAME again goes on with the study. docs/cluster.md has more.
set -euo pipefail

name=${1:?a name for the study}
shift
storage=${STORAGE:?a folder that all machines of the cluster see}
export RAY_AUTH_MODE=token RAY_API_SERVER_ADDRESS=${RAY_API_SERVER_ADDRESS:-http://127.0.0.1:8265}
test -s "${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}" || {
    echo "the cluster's token must be in ${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}: copy it from its head" >&2
    exit 2
}

exec "${RAY:-.venv/bin/ray}" job submit --no-wait --working-dir . \
    --runtime-env-json '{"excludes": [".venv", ".git", "runs"]}' \
    --metadata-json "{\"job_name\": \"$name\"}" -- \
    bash study/clusters/start_or_resume.sh "$storage/$name" "$@"

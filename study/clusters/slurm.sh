#!/usr/bin/env bash
# A study under Slurm, on as many nodes as it is given: sbatch study/clusters/slurm.sh [options of study/run.py]
#
#   sbatch study/clusters/slurm.sh --budget 4N --dataset cifar100 --model resnet18 --trials 40
#   OUT=runs/first sbatch --nodes=4 study/clusters/slurm.sh --budget 4N
#
# Submit it from the project's folder, which all nodes must see. The study lies in $OUT; submitted again with the same
# OUT, the study goes on, whether Slurm took the nodes away or its time was up. docs/cluster.md has more.
#SBATCH --job-name=entprop
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --gpus-per-node=1
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=entprop-%j.log
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?run me with sbatch}"

export PATH=$PWD/.venv/bin:$PATH
out=${OUT:-runs/slurm-$SLURM_JOB_ID}
port=${RAY_PORT:-$((20000 + SLURM_JOB_ID % 20000))} # other jobs have clusters of their own
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST") # no pipe into head: closing early, it could fail the job
address=${nodes%%$'\n'*}:$port

# Without the token nobody can give the cluster work. It is this job's own and lies where only you can read.
umask 077
mkdir -p "$HOME/.ray"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$HOME/.ray/token-$SLURM_JOB_ID RAY_TMPDIR=/tmp/ray-$SLURM_JOB_ID
python -c 'import secrets; print(secrets.token_hex(32))' >"$RAY_AUTH_TOKEN_PATH"
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

# symmetric-run starts the head on the first node and workers on the others, runs the command on the head when all are
# there, and stops them all when it ends.
srun --kill-on-bad-exit=1 ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" -- \
    env RAY_ADDRESS="$address" bash study/clusters/start_or_resume.sh "$out" "$@"

#!/usr/bin/env bash
# A training run as a SLURM job that survives preemption and its own time limit: it saves, and queues itself again.
#
#   sbatch scripts/slurm.sh train configs/demo.yaml --resume
#   sbatch --time=4:00:00 --gres=gpu:1 scripts/slurm.sh pseudolabel rounds.yaml
#   sbatch --nodes=2 --ntasks=16 --gres=gpu:8 scripts/slurm.sh train configs/demo.yaml --resume
#
# Several tasks of `train` or `pseudolabel` are the processes of one run; of `tune` each tries trials of its own.
# Everything after the script's name goes to charrnn; give `train` its --resume, which begins a run that is not there
# yet. The job queues itself again when charrnn ends with 143, which says that it was stopped and has saved. Any other
# end is final: 0 is done, and an error would only come again. See docs/reliability.md.
#
#SBATCH --job-name=charrnn
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --time=12:00:00
# For an older SLURM, which does not tell a job when it ends (SLURM_JOB_END_TIME): SIGTERM two minutes before.
#SBATCH --signal=TERM@120

set -u

charrnn="${CHARRNN:-.venv/bin/charrnn}"

if [ "$#" -eq 0 ]; then
    echo "usage: sbatch scripts/slurm.sh train CONFIG --resume [OPTION ...]" >&2
    exit 2
fi
if [ "$1" = train ]; then
    case " $* " in
    *" --resume "*) ;;
    *)
        echo "slurm.sh: add --resume, or the job could not go on where it was stopped" >&2
        exit 2
        ;;
    esac
fi

# SLURM sends SIGTERM to charrnn and to this shell alike. Here it must do nothing: not end the shell before charrnn has
# saved, and not be passed on, since charrnn leaves without a save when it is told twice.
trap ':' TERM

if [ "${SLURM_NTASKS:-1}" -gt 1 ] && { [ "$1" = train ] || [ "$1" = pseudolabel ]; }; then
    # What torchrun would tell every process. It is not needed here: srun starts them, hands on their signals, and ends
    # with their exit code, of which torchrun would make a 1.
    MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
    export MASTER_ADDR MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000)) WORLD_SIZE="$SLURM_NTASKS"
    # shellcheck disable=SC2016  # each task has its own numbers
    srun bash -c 'export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID; exec "$0" "$@"' "$charrnn" "$@"
else
    srun "$charrnn" "$@"
fi
code=$?

if [ "$code" -eq 143 ]; then
    # A job that its owner has cancelled ends with 143 too, and should stay away.
    if scontrol show job "$SLURM_JOB_ID" | grep -q 'JobState=CANCELLED'; then
        echo "slurm.sh: the job was cancelled; what it had done is saved" >&2
    elif scontrol requeue "$SLURM_JOB_ID"; then
        echo "slurm.sh: stopped and saved; job $SLURM_JOB_ID is queued again" >&2
    else
        # A preempted job may be in the queue already.
        echo "slurm.sh: stopped and saved; job $SLURM_JOB_ID was not queued again" >&2
    fi
fi
exit "$code"

"""The shipped SLURM script, with stand-ins for SLURM's programs: what it runs, and when it queues itself again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "slurm.sh"
SRUN = '#!/bin/sh\necho $$ > srun.pid\nexec "$@"\n'
SCONTROL = """\
#!/bin/sh
echo "$*" >> scontrol.log
case "$1" in
show) echo "JobId=$3 JobName=charrnn"; echo "   JobState=${STATE:-RUNNING} Reason=None" ;;
requeue) exit "${REFUSED:-0}" ;;
esac
"""
CHARRNN = '#!/bin/sh\nprintf "%s\\n" "$@" > charrnn.log\nexit "$CODE"\n'
TRAIN = ("train", "a config.yaml", "--resume")


@dataclass(frozen=True)
class Cluster:
    """A folder with what stands in for SLURM and for charrnn."""

    path: Path

    def environ(self, **more: str) -> dict[str, str]:
        charrnn = {"CHARRNN": str(self.path / "charrnn"), "SLURM_JOB_ID": "4711"}
        return {**os.environ, "PATH": f"{self.path}:{os.environ['PATH']}", **charrnn, **more}

    def job(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(SCRIPT), *arguments]
        env = self.environ(**environ)
        return subprocess.run(command, cwd=self.path, env=env, capture_output=True, text=True, check=False)

    def lines(self, name: str) -> list[str]:
        path = self.path / f"{name}.log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("charrnn", CHARRNN)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return Cluster(tmp_path)


def test_stopped_and_saved_it_queues_itself_again(cluster: Cluster) -> None:
    done = cluster.job(*TRAIN, CODE="143")
    assert done.returncode == 143
    assert cluster.lines("charrnn") == ["train", "a config.yaml", "--resume"]
    assert cluster.lines("scontrol") == ["show job 4711", "requeue 4711"]
    assert "job 4711 is queued again" in done.stderr


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 7, 130, 137, 141])
def test_any_other_end_is_final(cluster: Cluster, code: int) -> None:
    done = cluster.job(*TRAIN, CODE=str(code))
    assert (done.returncode, done.stderr) == (code, "")
    assert cluster.lines("scontrol") == []


@pytest.mark.parametrize("state", ["PREEMPTED", "PENDING", "TIMEOUT", "COMPLETING"])
def test_whatever_stopped_it_but_its_owner(cluster: Cluster, state: str) -> None:
    assert cluster.job(*TRAIN, CODE="143", STATE=state).returncode == 143
    assert cluster.lines("scontrol")[1:] == ["requeue 4711"]


def test_a_cancelled_job_stays_away(cluster: Cluster) -> None:
    done = cluster.job(*TRAIN, CODE="143", STATE="CANCELLED")
    assert done.returncode == 143
    assert cluster.lines("scontrol") == ["show job 4711"]
    assert "the job was cancelled" in done.stderr


def test_a_refused_requeue_is_told(cluster: Cluster) -> None:
    done = cluster.job(*TRAIN, CODE="143", REFUSED="1")
    assert done.returncode == 143
    assert "was not queued again" in done.stderr


def test_a_job_that_could_not_go_on_does_not_begin(cluster: Cluster) -> None:
    for arguments, told in (((), "usage: sbatch"), (("train", "config.yaml"), "add --resume")):
        done = cluster.job(*arguments, CODE="0")
        assert done.returncode == 2
        assert told in done.stderr
    assert cluster.lines("charrnn") == []
    assert cluster.job("pseudolabel", "config.yaml", CODE="0").returncode == 0


def test_sigterm_to_the_shell_neither_ends_it_nor_is_passed_on(cluster: Cluster) -> None:
    """SLURM tells charrnn itself; a second SIGTERM would let it leave without saving."""
    saving = (
        "#!/bin/sh\ntrap 'echo told >> told.log' TERM\ntouch ready\nwhile [ ! -e end ]; do sleep 0.02; done\nexit 143\n"
    )
    (cluster.path / "charrnn").write_text(saving)
    job = subprocess.Popen(["bash", str(SCRIPT), *TRAIN], cwd=cluster.path, env=cluster.environ())
    wait_for(cluster.path / "ready", job)
    job.send_signal(signal.SIGTERM)
    os.kill(int((cluster.path / "srun.pid").read_text()), signal.SIGTERM)
    wait_for(cluster.path / "told.log", job)
    (cluster.path / "end").touch()
    assert job.wait(60) == 143
    assert cluster.lines("told") == ["told"]
    assert cluster.lines("scontrol")[-1] == "requeue 4711"


def wait_for(path: Path, job: subprocess.Popen[bytes]) -> None:
    for _ in range(6000):
        if path.exists():
            return
        assert job.poll() is None
        time.sleep(0.02)
    raise AssertionError(f"{path} never came")


@pytest.mark.slow
@pytest.mark.faults
def test_the_program_itself_is_preempted_and_queued_again(cluster: Cluster) -> None:
    (cluster.path / "charrnn").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m charrnn "$@"\n')
    (cluster.path / "text.txt").write_text("the cat sat on the mat, and the dog ate it.\n" * 30)
    config = "corpus: {source: text.txt}\nstream: {chunk: 8}\nmodel: {core: {hidden: 4}}\n"
    config += "evaluate: {every: 1000}\n"
    endless = "train: {max_steps: 1000000, early_stop: null, save: {every: 5}, tensorboard: false}\n"
    (cluster.path / "config.yaml").write_text(config + endless)
    for _ in range(2):
        command = ["bash", str(SCRIPT), "train", "config.yaml", "--out", "run", "--resume"]
        with (cluster.path / "err").open("wb") as err:
            job = subprocess.Popen(command, cwd=cluster.path, env=cluster.environ(), stderr=err, stdout=err)
        wait_for(cluster.path / "run" / "last", job)
        (cluster.path / "run" / "last").unlink()  # it may be that of the life before
        wait_for(cluster.path / "run" / "last", job)
        for pid in (job.pid, int((cluster.path / "srun.pid").read_text())):
            os.kill(pid, signal.SIGTERM)
        assert job.wait(120) == 143
    assert cluster.lines("scontrol") == ["show job 4711", "requeue 4711"] * 2
    assert "resuming run/checkpoints/step-" in (cluster.path / "err").read_text()


def test_the_script_is_plain_bash() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    assert os.access(SCRIPT, os.X_OK)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(SCRIPT)], check=True)


TASKS = """\
#!/bin/sh
echo "$SLURM_NTASKS" >> srun.log
for task in 0 1 2; do SLURM_PROCID=$task SLURM_LOCALID=$((task % 2)) "$@" & done
wait %1 && wait %2 && wait %3
"""
HOSTNAMES = '#!/bin/sh\n[ "$*" = "show hostnames node[3-4]" ] && printf "node3\\nnode4\\n"\n'
TOLD = """\
#!/bin/sh
echo "$RANK $LOCAL_RANK $WORLD_SIZE $MASTER_ADDR $MASTER_PORT $1 $2" > "charrnn-$SLURM_PROCID.log"
"""


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("train", ["0 0 3 node3 24711", "1 1 3 node3 24711", "2 0 3 node3 24711"]),
        ("pseudolabel", ["0 0 3 node3 24711", "1 1 3 node3 24711", "2 0 3 node3 24711"]),
        ("tune", ["    "] * 3),
    ],
)
def test_several_tasks_are_told_which_process_each_is(cluster: Cluster, command: str, told: list[str]) -> None:
    """Those of a search are not: each of them works for itself."""
    for name, text in (("srun", TASKS), ("scontrol", HOSTNAMES), ("charrnn", TOLD)):
        (cluster.path / name).write_text(text)
    environ = {"SLURM_NTASKS": "3", "SLURM_JOB_NODELIST": "node[3-4]"}
    done = cluster.job(command, "a config.yaml", "--resume", **environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert [cluster.lines(f"charrnn-{task}") for task in range(3)] == [
        [f"{each} {command} a config.yaml"] for each in told
    ]


@pytest.mark.slow
def test_two_tasks_train_one_run(cluster: Cluster) -> None:
    """The processes that a SLURM job starts find each other, as those of torchrun do."""
    (cluster.path / "text.txt").write_text("the cat sat on the mat.\n" * 40, encoding="utf-8")
    config = "corpus: {source: text.txt}\nstream: {lanes: 4, chunk: 8}\nmodel: {core: {hidden: 4}}\n"
    (cluster.path / "c.yaml").write_text(
        f"{config}train: {{max_steps: 3, tensorboard: false}}\nsample: {{length: 3}}\n"
    )
    (cluster.path / "srun").write_text(TASKS.replace("0 1 2", "0 1").replace(" && wait %3", ""))
    (cluster.path / "scontrol").write_text("#!/bin/sh\necho localhost\n")
    (cluster.path / "charrnn").write_text(f'#!/bin/sh\nexec {sys.executable} -m charrnn "$@"\n')
    environ = {"SLURM_NTASKS": "2", "SLURM_JOB_NODELIST": "node", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = cluster.job("train", "c.yaml", "--resume", "--device", "cpu", "--out", "run", "--quiet", **environ)
    assert (done.returncode, done.stdout) == (0, "run\n"), done.stderr
    plan = json.loads((cluster.path / "run/checkpoints/step-00000003/config.json").read_text())["plan"]
    assert plan["processes"] == 2

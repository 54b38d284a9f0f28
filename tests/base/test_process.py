import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from fortydays.base.process import PARENT, guarded, has_ended, identity, locked


def another(*, ended: bool) -> dict[str, Any]:
    program = (
        "import json, sys; from fortydays.base.process import identity; print(json.dumps(identity()), flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"{program}; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    import json

    assert process.stdout is not None and process.stdin is not None
    told: dict[str, Any] = json.loads(process.stdout.readline())
    if ended:
        process.communicate()
    else:
        _RUNNING.append(process)
    return told


_RUNNING: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def end_all() -> Any:
    yield
    while _RUNNING:
        _RUNNING.pop().communicate()


def test_this_process_and_another_that_runs_have_not_ended() -> None:
    assert identity()["pid"] == os.getpid()
    assert not has_ended(identity())
    assert not has_ended(another(ended=False))


def test_a_process_that_is_gone_has_ended() -> None:
    assert has_ended(another(ended=True))


@pytest.mark.parametrize("changed", ["host", "space"])
def test_of_a_process_elsewhere_nothing_can_be_told(changed: str) -> None:
    assert not has_ended({**another(ended=True), changed: "elsewhere"})


@pytest.mark.skipif(not identity()["started"], reason="the system does not tell when a process started")
def test_a_number_that_was_given_again_is_another_process() -> None:
    assert has_ended({**identity(), "started": "1"})


@pytest.mark.parametrize("pid", [None, 0, -1, 10**30, "7", True, 1.5])
def test_what_is_no_number_of_a_process_is_not_asked_about(pid: Any) -> None:
    assert not has_ended({**identity(), "pid": pid})


WAITS = (
    "import time; from fortydays.base.process import end_with_parent; end_with_parent()\n"
    "print(1, flush=True); time.sleep(600)"
)


def children_of(code: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A process and, as soon as they run, its children."""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    _RUNNING.append(parent)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "1\n"
    return parent, psutil.Process(parent.pid).children(recursive=True)


def have_ended(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=30)
    return not alive


def test_a_child_of_a_killed_process_ends_and_so_does_its_own_child() -> None:
    starts = "subprocess.run([sys.executable, '-c', {!r}], env=child_environment())"
    imports = "import subprocess, sys; from fortydays.base.process import child_environment, end_with_parent"
    grandchild = f"{imports}; end_with_parent(); {starts.format(WAITS)}"
    parent, children = children_of(f"{imports}; {starts.format(grandchild)}")
    assert len(children) == 2
    parent.kill()
    assert have_ended(children)


def test_a_worker_of_a_killed_process_ends(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(
        "import multiprocessing, time\n"
        "from fortydays.base.process import end_with_parent\n"
        "def work():\n"
        "    end_with_parent(); print(1, flush=True); time.sleep(600)\n"
        "def main():\n"
        "    process = multiprocessing.get_context('spawn').Process(target=work); process.start(); process.join()\n"
    )
    parent, children = children_of(f"import sys; sys.path.append({str(tmp_path)!r}); import worker; worker.main()")
    assert children
    parent.kill()
    assert have_ended(children)


def test_another_program_is_guarded_with_all_that_it_starts() -> None:
    parent, children = children_of(
        "import subprocess; from fortydays.base.process import guarded\n"
        "subprocess.run(guarded(['sh', '-c', 'sleep 600 & sleep 600 & echo 1; wait']), start_new_session=True)"
    )
    assert len(children) == 4  # the guard, the shell, and what the shell has started
    parent.kill()
    assert have_ended(children)


def test_a_guarded_program_says_and_returns_what_it_would_alone() -> None:
    command = guarded(["sh", "-c", "echo said; echo complained >&2; exit 7"])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "said\n", "complained\n")


def test_importing_the_package_starts_nothing() -> None:
    code = "import fortydays, fortydays.cli.main, threading; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, PARENT: str(os.getpid())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"


def test_a_process_whose_parent_ended_before_it_could_watch_does_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for module in ("fortydays", "fortydays.study.frozen", "fortydays.registry.export", "fortydays.serve.trying"):
        done = subprocess.run(
            [sys.executable, "-m", module, "--version"],
            env={**os.environ, PARENT: str(gone.pid)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_who_waits_for_a_lock_is_told_for_whom_and_waits_on(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fortydays.base.process import locked\n"
        "with locked(Path(sys.argv[1]), waiting=print):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    lock = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None and holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    told: list[str] = []

    def release(holder_in_words: str) -> None:
        told.append(holder_in_words)
        holder.kill()  # the system frees the lock of one that dies

    with locked(lock, waiting=release):
        pass
    holder.communicate()
    assert told == [f"-c {shlex.quote(str(lock))} (process {holder.pid})"]


def test_nobody_is_told_of_a_lock_that_is_free_or_whose_holder_is_unknown(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "lock").write_bytes(b"\xff not JSON")
    with locked(tmp_path / "lock", waiting=told.append):
        pass
    assert told == []

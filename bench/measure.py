"""Whole processes, timed from outside, two in turn, and the ratio of each pair; shared by the benchmarks.

Not a benchmark itself: ``make bench`` runs the files whose name begins with ``bench_``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from fortydays.base import clock, files
from fortydays.base.machine import describe_machine
from fortydays.study.evidence import package_versions
from fortydays.train.backends import backend

RESULTS = Path(__file__).with_name("results.json")
TABLE = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One process, from start to end.

    Attributes:
        wall_seconds: from before its start to after its end.
        cpu_seconds: user and system time, its own and its children's.
        peak_mib: its largest resident memory, in MiB.
        output: the JSON it printed last on standard output.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    output: dict[str, Any]


def run(command: Sequence[str], environment: Mapping[str, str], *, accepted: Collection[int] = (0,)) -> Run:
    """Run a command and wait for it.

    Raises:
        RuntimeError: it ended with another exit code than those accepted.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accepted:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}")
    lines = printed.decode().strip().splitlines()
    return Run(
        wall_seconds=wall,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        # Linux counts in KiB, macOS in bytes.
        peak_mib=usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
        output=json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {},
    )


def settle(environment: Mapping[str, str]) -> float:
    """Wait until the tracker's process, which goes on after its run, has ended; otherwise it slows what comes next.

    Returns:
        The seconds waited.
    """
    began = time.perf_counter()
    home = environment["FORTYDAYS_HOME"]
    while any(home in argument for p in psutil.process_iter() for argument in _arguments(p)):
        time.sleep(0.05)
    return time.perf_counter() - began


def _arguments(process: psutil.Process) -> list[str]:
    try:
        command = process.cmdline()
    except psutil.Error:
        return []
    return command if "fortydays.track.follower" in command else []


def peak_of_all(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a command and give the largest memory of it and every process it started together, in MiB.

    Memory that processes share is counted for each of them. Sampled twenty times a second.
    """
    process = psutil.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    largest = 0
    while process.poll() is None:
        total = 0
        for part in (process, *process.children(recursive=True)):
            try:
                total += part.memory_info().rss
            except psutil.Error:
                continue
        largest = max(largest, total)
        time.sleep(0.05)
    settle(environment)
    return largest / 2**20


def in_turn(a: Callable[[], Run], b: Callable[[], Run], *, times: int) -> list[tuple[Run, Run]]:
    """Run A, B, A, B, ... so that a machine whose speed drifts slows both."""
    return [(a(), b()) for _ in range(times)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def record(
    name: str,
    *,
    question: str,
    target: str,
    met: bool,
    method: str,
    figures: Mapping[str, Any],
    judged: Sequence[str] = (),
) -> None:
    """Write one benchmark's result into ``results.json`` and renew the table.

    Args:
        name: what the result is kept under.
        question: what is measured, with its unit.
        target: what the figures should come to, in words.
        met: whether they do.
        method: how often, and in which order.
        figures: by name, each a number or a :func:`spread`.
        judged: those that the target speaks of, shown in the README; without, the first one.

    Raises:
        ValueError: one of ``judged`` is no figure.
    """
    if unknown := set(judged) - set(figures):
        raise ValueError(f"{name}: {sorted(unknown)} are no figures; there are {list(figures)}.")
    results = files.read_json(RESULTS) if RESULTS.exists() else {}
    machine = asdict(describe_machine())
    results[name] = {
        "question": question,
        "target": target,
        "met": met,
        "method": method,
        "figures": dict(figures),
        "judged": list(judged) or list(figures)[:1],
        "measured": clock.timestamp(),
        "machine": {**machine, "flags": list(machine["flags"])},
        "packages": package_versions(backend().PACKAGES),
    }
    files.write_json(RESULTS, results)
    files.write_text(TABLE, _table(results))
    print(f"{name}: {'met' if met else 'NOT met'}; target {target}; {json.dumps(figures)}")


def _table(results: Mapping[str, Any]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "`make bench` writes this file. Each number is a median, with the range in parentheses.",
        "",
        "| what | target | measured | met | how | machine, date |",
        "|---|---|---|---|---|---|",
    ]
    for result in results.values():
        shown = "<br>".join(f"{name}: {_show(value)}" for name, value in result["figures"].items())
        machine = result["machine"]
        where = f"{machine['cpu_model']}, {machine['cores']} cores, {result['measured'][:10]}"
        met = "yes" if result["met"] else "no"
        cells = [result["question"], result["target"], shown, met, result["method"], where]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return f"{_show(value['median'])} ({_show(value['min'])} to {_show(value['max'])})"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"
    return str(value)

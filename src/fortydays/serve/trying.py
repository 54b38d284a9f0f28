"""A new bundle opened and asked in a process of its own, which can be ended, before the service that answers loads it.

What a file says can be checked; how long a model computes, and in how much memory, shows only when it does.
"""

import asyncio
import contextlib
import json
import os
import resource
import sys
from pathlib import Path

from fortydays.base.errors import FortydaysError
from fortydays.base.memory import left_in_container
from fortydays.base.process import end_with_parent
from fortydays.base.settings import keep_onnx_runtime_silent
from fortydays.serve.source import run_aside

_MOST_MEMORY = 4 * 2**30
"""Bytes of addresses, of which a process with ONNX Runtime takes about one GiB before it does anything."""


async def try_out(folder: Path, *, batch: int, seconds: float) -> None:
    """Open a bundle as a service would, and let its model answer up to ``batch`` images together within some seconds.

    Raises:
        FortydaysError: it is no whole bundle, its model takes more time or memory, or it ends the process.
    """
    arguments = ("-m", "fortydays.serve.trying", str(folder), str(batch), str(int(seconds) + 1))
    try:
        async with asyncio.timeout(seconds):
            await run_aside(arguments, _ended)
    except TimeoutError:
        raise FortydaysError(f"The bundle was tried out, and its model did not answer within {seconds:g} s.") from None


def _ended(code: int, _said: str) -> str:
    why = "it takes too much time or memory" if code < 0 else f"code {code}"
    return f"The bundle was tried out, and its model ended the process: {why}."


def main(folder: Path, *, batch: int, seconds: int) -> int:
    """Open a bundle and ask its model in this process, which ends for good where that takes too much.

    Returns:
        The exit code: 0, or 1 with the error as one line of JSON on standard error.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (4 * seconds, 4 * seconds))  # should nobody be there to end it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "darwin":  # which has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    with contextlib.suppress(OSError):  # where a container has less memory, Linux ends this process, not the service
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # or NumPy takes addresses for a thread of each core
    keep_onnx_runtime_silent()
    import onnx
    import onnxruntime  # before the memory that is left is counted

    from fortydays.registry.contents import ONNX_FILE, open_bundle
    from fortydays.registry.operators import counts_examples

    assert onnxruntime
    left = _bounded_by_container()
    try:
        bundle = open_bundle(folder, threads=1)
        # Where the number of examples may decide on memory, each number that the service computes together is tried.
        every = counts_examples(onnx.load_model(folder / ONNX_FILE, load_external_data=False).graph.node)
        for size in range(1, batch + 1) if every else (1, batch):
            bundle.model.predict(bundle.input.blank(size), at_once=batch)
    except FortydaysError as error:
        # ONNX Runtime says in words alone that it has got no memory.
        if "memory" in error.message and left is not None:
            return _told(f"{error.message.rstrip('.')}. The container has {left:,} bytes of memory left.", error.hint)
        return _told(error.message, error.hint)
    except MemoryError:
        most = min(_MOST_MEMORY, left or _MOST_MEMORY)
        return _told(f"The bundle was tried out, and its model takes more than {most:,} bytes of memory.")
    return 0


def _bounded_by_container() -> int | None:
    """Leave this process no more memory than its container has left now. Returns that in bytes; None is no limit.

    The service will load the model into the same container, beside the model that it serves.
    """
    left = left_in_container()
    if left is None:
        return None
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[5])  # of data and stack, see proc(5)
    taken = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (taken + left, taken + left))
    return left


def _told(message: str, hint: str = "") -> int:
    sys.stderr.write(json.dumps({"error": {"message": message, "hint": hint}}) + "\n")
    return 1


if __name__ == "__main__":
    end_with_parent()
    sys.exit(main(Path(sys.argv[1]), batch=int(sys.argv[2]), seconds=int(sys.argv[3])))

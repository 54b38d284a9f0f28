"""What the processor is and which fast instructions it has, as far as results and speed depend on it.

Reads what the system says about itself; starts nothing heavy and never fails: what the system does not tell is left
empty.
"""

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fortydays.base.settings import available_cores
from fortydays.base.text import counted

RELEVANT_FLAGS = ("amx_bf16", "avx2", "avx512_bf16", "avx512f", "avx512_vnni", "bf16", "neon")
"""The instruction sets that change how fast, or in which bits, a trial computes.

Names as Linux gives them; bf16 and neon are Arm's.
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The facts about a machine that a trial's speed and bits depend on.

    Attributes:
        cpu_model: the processor's name, or "" where the system does not tell it.
        cores: how many cores this process may use.
        flags: those of :data:`RELEVANT_FLAGS` that the processor has, sorted.
        system: the operating system and architecture, such as "Linux x86_64".
        python: the version of the running Python, such as "3.11.7".
    """

    cpu_model: str
    cores: int
    flags: tuple[str, ...]
    system: str
    python: str

    @property
    def bfloat16_is_fast(self) -> bool:
        """Whether the processor multiplies bfloat16 matrices faster than float32 ones (AVX512_BF16 or AMX).

        Arm's own bf16 instructions do not count: TensorFlow's CPU kernels are only known to gain from the x86 ones.
        """
        return "avx512_bf16" in self.flags or "amx_bf16" in self.flags

    def in_words(self, accelerator: str | None = None) -> str:
        """The machine in a few words: "AMD EPYC, 2 cores, Linux x86_64", with an accelerator where it computes."""
        words = (self.cpu_model, accelerator, counted(self.cores, "core"), self.system)
        return ", ".join(word for word in words if word)


def describe_machine() -> Machine:
    """The machine this process runs on."""
    if platform.system() == "Darwin":
        cpu_model, flags = parse_sysctl(_sysctl())
    else:
        cpu_model, flags = parse_cpuinfo(_read(Path("/proc/cpuinfo")))
    return Machine(
        cpu_model=cpu_model or platform.processor(),
        cores=available_cores(),
        flags=flags,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
    )


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    """The processor's name and relevant flags in the text of Linux's ``/proc/cpuinfo``.

    Only the first processor's lines are read. Arm kernels list "Features" (where NEON is called asimd) and often no
    name.
    """
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    words = set(fields.get("flags", fields.get("features", "")).split())
    if "asimd" in words:
        words.add("neon")
    return fields.get("model name", ""), _relevant(words)


def parse_sysctl(text: str) -> tuple[str, tuple[str, ...]]:
    """The processor's name and relevant flags in what macOS's ``sysctl machdep.cpu hw.optional`` prints."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields[key.strip().lower()] = value.strip()
    words = {
        name.lower() for key in ("features", "leaf7_features") for name in fields.get(f"machdep.cpu.{key}", "").split()
    }
    switched_on = {
        "hw.optional.avx2_0": "avx2",
        "hw.optional.avx512f": "avx512f",
        "hw.optional.neon": "neon",
        "hw.optional.arm.feat_bf16": "bf16",
    }
    words |= {flag for key, flag in switched_on.items() if fields.get(key) == "1"}
    return fields.get("machdep.cpu.brand_string", ""), _relevant(words)


def _relevant(words: set[str]) -> tuple[str, ...]:
    return tuple(sorted(words.intersection(RELEVANT_FLAGS)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl() -> str:
    try:
        done = subprocess.run(
            ["/usr/sbin/sysctl", "machdep.cpu", "hw.optional"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout

"""What is read out of the system's own words about the processor."""

import os

import pytest

from fortydays.base import machine
from fortydays.base.machine import Machine, describe_machine, parse_cpuinfo, parse_sysctl

INTEL = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu sse avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile

processor\t: 1
model name\t: Another
flags\t\t: fpu
"""
ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes bf16
"""


def some_machine(*flags: str) -> Machine:
    return Machine(cpu_model="", cores=1, flags=flags, system="Linux x86_64", python="3.11.7")


def test_linux_tells_the_first_processor() -> None:
    assert parse_cpuinfo(INTEL) == (
        "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
        ("amx_bf16", "avx2", "avx512_bf16", "avx512_vnni", "avx512f"),
    )


def test_arm_names_its_features_otherwise_and_has_no_model_name() -> None:
    assert parse_cpuinfo(ARM) == ("", ("bf16", "neon"))


def test_macos_on_intel() -> None:
    text = """machdep.cpu.brand_string: Intel(R) Core(TM) i7
machdep.cpu.leaf7_features: RDWRFSGS AVX2 BMI2
hw.optional.avx512f: 0
"""
    assert parse_sysctl(text) == ("Intel(R) Core(TM) i7", ("avx2",))


def test_macos_on_arm() -> None:
    text = """machdep.cpu.brand_string: Apple M2
hw.optional.neon: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.avx2_0: 0
"""
    assert parse_sysctl(text) == ("Apple M2", ("bf16", "neon"))


@pytest.mark.parametrize("text", ["", "no colon here\n", "flags\n", "model name:\nflags:\n"])
def test_a_system_that_tells_nothing_is_no_failure(text: str) -> None:
    assert parse_cpuinfo(text) == ("", ())
    assert parse_sysctl(text) == ("", ())


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        (("avx512_bf16",), True),
        (("amx_bf16", "avx2"), True),
        (("avx2", "avx512f"), False),
        (("bf16", "neon"), False),
        ((), False),
    ],
)
def test_bfloat16_is_fast_with_the_instructions_for_it(flags: tuple[str, ...], fast: bool) -> None:
    assert some_machine(*flags).bfloat16_is_fast is fast


def test_this_machine_is_described() -> None:
    here = describe_machine()
    assert 1 <= here.cores <= (os.cpu_count() or 1)
    assert list(here.flags) == sorted(here.flags)
    assert set(here.flags) <= set(machine.RELEVANT_FLAGS)
    assert here.python.startswith("3.")
    assert here.system

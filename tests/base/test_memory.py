from pathlib import Path

import pytest

from fortydays.base.memory import left_in_container

MIB = 2**20


def group(folder: Path, *, limit: str, used: int = 0, kept: int = 0, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    most, now, free = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }[version]
    (folder / most).write_text(f"{limit}\n")
    (folder / now).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{free} {kept}\n")


def left(tmp_path: Path, own: str) -> int | None:
    (tmp_path / "own").write_text(own)
    return left_in_container(tmp_path / "groups", tmp_path / "own")


def test_what_is_used_is_taken_off_and_kept_files_are_not(tmp_path: Path) -> None:
    group(tmp_path / "groups", limit=str(768 * MIB), used=300 * MIB, kept=100 * MIB)
    assert left(tmp_path, "0::/\n") == 568 * MIB


def test_the_first_version_has_a_folder_for_memory(tmp_path: Path) -> None:
    group(tmp_path / "groups" / "memory" / "docker" / "a1", limit=str(512 * MIB), used=12 * MIB, version=1)
    assert left(tmp_path, "4:cpu,cpuacct:/x\n3:memory:/docker/a1\n0::/\n") == 500 * MIB


@pytest.mark.parametrize("outside", ["/", "/docker/a1"])
def test_a_container_may_see_its_own_group_at_the_top(tmp_path: Path, outside: str) -> None:
    group(tmp_path / "groups", limit=str(512 * MIB))
    assert left(tmp_path, f"0::{outside}\n") == 512 * MIB


def test_the_group_with_the_least_left_counts(tmp_path: Path) -> None:
    group(tmp_path / "groups" / "pod", limit=str(512 * MIB), used=500 * MIB)
    group(tmp_path / "groups" / "pod" / "container", limit=str(256 * MIB), used=6 * MIB)
    assert left(tmp_path, "0::/pod/container\n") == 12 * MIB


def test_a_group_that_is_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    group(tmp_path / "groups", limit="5", used=7)
    assert left(tmp_path, "0::/\n") == 0


@pytest.mark.parametrize(("limit", "version"), [("max", 2), ("9223372036854771712", 1)])
def test_a_group_without_a_limit_bounds_nothing(tmp_path: Path, limit: str, version: int) -> None:
    group(tmp_path / "groups" / ("memory" if version == 1 else ""), limit=limit, version=version)
    assert left(tmp_path, "3:memory:/\n0::/\n") is None


@pytest.mark.parametrize("own", ["", "0::/\n", "nonsense\n"])
def test_where_nothing_is_told_nothing_is_known(tmp_path: Path, own: str) -> None:
    assert left(tmp_path, own) is None
    assert left_in_container(tmp_path / "groups", tmp_path / "missing") is None

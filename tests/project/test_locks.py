"""The locks pin everything by digest, name no address, and agree with pyproject.toml and with each other."""

import functools
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("run", "jax", "data", "ray", "encoder", "serve", "tracker", "dev", "build")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = PROJECT["project"]["optional-dependencies"]


def lock_text(name: str) -> str:
    return (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8")


def entries(name: str) -> list[str]:
    """The requirements of a lock, each with its digests on one line."""
    return lock_text(name).replace("\\\n", " ").strip().splitlines()


@functools.cache
def pins(name: str) -> dict[str, set[Version]]:
    """Each package's versions in a lock; more than one where they differ by platform or Python."""
    found: dict[str, set[Version]] = {}
    for entry in entries(name):
        requirement = Requirement(entry.split(" --hash")[0].strip())
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", entry
        found.setdefault(canonicalize_name(requirement.name), set()).add(Version(specifier.version))
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_and_no_option(name: str) -> None:
    text = lock_text(name)
    # aiohttp is a package, not an address.
    assert not re.search(r"https?:|file:|\bgit\+", text)
    assert not re.search(r"^\s*-(?!-hash=)", text, re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_pins_a_version_with_digests(name: str) -> None:
    lines = entries(name)
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9._-]+==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", line.strip()), line


def test_the_tests_run_with_the_versions_that_studies_run_with() -> None:
    dev = pins("dev")
    for package, versions in (pins("run") | pins("build")).items():
        # What only one lock needs (such as hatchling's own parts) is compared where both have it.
        if package in pins("run"):
            assert dev.get(package) == versions, package
        elif package in dev:
            assert dev[package] == versions, package


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("run", PROJECT["project"]["dependencies"]),
        ("jax", PROJECT["project"]["dependencies"] + OPTIONAL["jax"]),
        ("data", PROJECT["project"]["dependencies"] + OPTIONAL["data"]),
        ("ray", PROJECT["project"]["dependencies"] + OPTIONAL["ray"]),
        (
            "dev",
            PROJECT["project"]["dependencies"]
            + OPTIONAL["jax"]
            + OPTIONAL["data"]
            + OPTIONAL["ray"]
            + PROJECT["dependency-groups"]["dev"],
        ),
        ("encoder", PROJECT["dependency-groups"]["encoder"]),
        ("serve", PROJECT["dependency-groups"]["serve"]),
        ("tracker", PROJECT["dependency-groups"]["tracker"]),
        ("build", PROJECT["build-system"]["requires"]),
    ],
)
def test_a_lock_satisfies_the_ranges_it_was_made_from(lock: str, requirements: list[str]) -> None:
    locked = pins(lock)
    for requirement in map(Requirement, requirements):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is not in locks/{lock}.txt: run `make lock`"
        assert all(version in requirement.specifier for version in versions), (
            f"{requirement} is locked to {versions}: run `make lock`"
        )


def floors() -> list[tuple[str, Version, str]]:
    lines = (ROOT / "locks" / "floors.txt").read_text(encoding="utf-8").splitlines()
    found = [line.split() for line in lines if not line.startswith("#")]
    return [(canonicalize_name(name), Version(version), advisory) for name, version, advisory in found]


@pytest.mark.parametrize(("package", "floor", "advisory"), floors(), ids=str)
def test_no_version_with_a_known_hole_is_locked_or_allowed(package: str, floor: Version, advisory: str) -> None:
    assert re.fullmatch(r"CVE-\d{4}-\d{4,}|GHSA(-[a-z0-9]{4}){3}", advisory)
    locked = {name: pins(name).get(package, set()) for name in LOCKS}
    assert any(locked.values()), f"{package} is in no lock: take its line out of locks/floors.txt"
    below = {name: versions for name, versions in locked.items() if any(version < floor for version in versions)}
    assert not below, f"{package} before {floor} has {advisory}: run `make lock UPGRADE=--upgrade-package={package}`"
    groups = [PROJECT["project"]["dependencies"], PROJECT["dependency-groups"]["tracker"]]
    for requirement in map(Requirement, [each for group in groups for each in group]):
        if canonicalize_name(requirement.name) == package:
            lowest = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
            assert lowest, requirement
            assert lowest[0] >= floor, f"{requirement} allows versions with {advisory}"


def test_the_build_group_is_what_the_build_system_requires() -> None:
    assert PROJECT["dependency-groups"]["build"] == PROJECT["build-system"]["requires"]


def test_a_service_alone_needs_nothing_that_is_not_needed_anyway() -> None:
    all_of_it = {Requirement(requirement).name for requirement in PROJECT["project"]["dependencies"]}
    assert set(PROJECT["dependency-groups"]["serve"]) <= all_of_it
    locked = pins("serve")
    assert not set(locked) & {"keras", "mlflow", "tensorflow", "tensorflow-cpu", "scipy", "matplotlib", "scikit-learn"}
    for package, versions in pins("run").items():
        assert locked.get(package, versions) <= versions, package


def test_the_encoder_brings_nothing_along() -> None:
    assert set(pins("encoder")) == {Requirement(each).name for each in PROJECT["dependency-groups"]["encoder"]}


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    told = {name for row in re.findall(r"^\| ([a-z][a-z0-9, -]*) \|", page, re.MULTILINE) for name in row.split(", ")}
    groups = PROJECT["project"]["dependencies"]
    groups += PROJECT["dependency-groups"]["dev"] + PROJECT["dependency-groups"]["encoder"]
    groups += [requirement for extra in OPTIONAL.values() for requirement in extra]
    needed = {Requirement(requirement).name for requirement in groups}
    assert told - {"package"} == needed

"""What does not fit on a node is found and named before anything is trained."""

import dataclasses
from pathlib import Path

import pytest

from fortydays.base.errors import FortydaysError
from fortydays.base.settings import Settings, read_settings
from fortydays.cluster.nodes import Facts, Node, check_nodes, differences, facts_here, has_dataset, lack_of_room

HERE = Facts(
    python="3.12.4", packages={"keras": "3.15.1", "numpy": "2.4.6", "ray": "2.60.0"}, code="a" * 64, processor="one"
)


def node(number: int, *, cpus: int = 4, problems: tuple[str, ...] = ()) -> Node:
    return Node(id=f"n{number}", number=number, address=f"192.0.2.{number}", cpus=cpus, facts=HERE, problems=problems)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ()),
        ({"processor": "another", "has_data": False}, ()),
        ({"python": "3.12.5"}, ("Python is 3.12.5, here 3.12.4",)),
        ({"packages": {**HERE.packages, "keras": "3.14.0"}}, ("keras is 3.14.0, here 3.15.1",)),
        ({"packages": {"keras": "3.15.1", "ray": "2.60.0"}}, ("numpy is not installed, here 2.4.6",)),
        ({"packages": {**HERE.packages, "tensorflow": "2.21.0"}}, ("tensorflow is 2.21.0, here not installed",)),
        ({"code": "b" * 64}, ("its code of fortydays is not the code here",)),
    ],
    ids=["same", "processor", "python", "version", "missing", "more", "code"],
)
def test_a_difference_is_named(changes: dict[str, object], found: tuple[str, ...]) -> None:
    assert differences(HERE, dataclasses.replace(HERE, **changes)) == found  # type: ignore[arg-type]


def test_many_differences_are_counted() -> None:
    there = dataclasses.replace(HERE, packages={f"package{n}": "1" for n in range(3)})
    *named, counted = differences(HERE, there)
    assert (len(named), counted) == (4, "2 other packages differ")


def test_nodes_that_do_not_fit_are_refused_by_name() -> None:
    check_nodes([node(1), node(2)], threads=4)
    with pytest.raises(FortydaysError) as raised:
        check_nodes(
            [node(1), node(2, problems=("Python is 3.11.1, here 3.12.4", "ray is 2.59, here 2.60"))], threads=1
        )
    assert raised.value.message == (
        "Trials would not be the same on all nodes. Node 2 (192.0.2.2): Python is 3.11.1, here 3.12.4, "
        "ray is 2.59, here 2.60."
    )


@pytest.mark.parametrize(("nodes", "most"), [([node(1, cpus=2), node(2, cpus=3)], 3), ([], 0)])
def test_a_trial_needs_a_node_with_a_cpu_for_each_thread(nodes: list[Node], most: int) -> None:
    with pytest.raises(
        FortydaysError, match=f"No node has the 4 CPUs that a trial takes.* the most is {most}"
    ) as raised:
        check_nodes(nodes, threads=4)
    assert "FORTYDAYS_THREADS" in raised.value.hint


def test_a_lack_of_room_is_told_before_anything_is_begun() -> None:
    assert lack_of_room([node(1, cpus=2), node(2, cpus=4)], threads=4) == ""
    assert lack_of_room([node(1, cpus=0)], threads=1) == (
        "No node has the 1 CPU that a trial takes, one for each thread; the most is 0."
    )


def test_a_node_has_room_for_as_many_trials_as_its_cpus_have_threads() -> None:
    assert [node(1, cpus=7).places(threads) for threads in (1, 2, 4, 8)] == [7, 3, 1, 0]


def test_what_is_found_here_differs_in_nothing_from_itself(tmp_path: Path) -> None:
    settings = read_settings({"FORTYDAYS_HOME": str(tmp_path)})
    here = facts_here("tensorflow", dataset="mnist", settings=settings)
    assert differences(here, facts_here("tensorflow")) == ()
    assert {"keras", "numpy"} <= set(here.packages)
    assert not here.has_data


def test_data_that_a_workspace_does_not_have(tmp_path: Path) -> None:
    settings: Settings = read_settings({"FORTYDAYS_HOME": str(tmp_path)})
    assert not has_dataset("mnist", settings)
    assert not has_dataset("own:flowers@0123456789abcdef", settings)

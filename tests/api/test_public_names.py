"""`import fortydays as fd`: what it has, and that having it costs nothing."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import fortydays as fd

SOURCE = Path(fd.__file__)


def told_to_type_checkers() -> dict[str, str]:
    """Name -> module of the imports that only type checkers and editors read."""
    tree = ast.parse(SOURCE.read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    found = {}
    for line in block.body:
        assert isinstance(line, ast.ImportFrom)
        found |= {alias.name: str(line.module) for alias in line.names}
    return found


def test_type_checkers_are_told_of_the_same_names_from_the_same_places() -> None:
    homes = {name: f"fortydays.{home}" for home, names in fd._HOMES.items() for name in names}
    assert told_to_type_checkers() == homes
    assert sorted([*homes, "__version__"]) == sorted(fd.__all__) == dir(fd)


@pytest.mark.parametrize("name", fd.__all__)
def test_every_name_is_there_and_is_described(name: str) -> None:
    assert name == "__version__" or getattr(fd, name).__doc__


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(AttributeError) as caught:
        _ = fd.sho
    assert str(caught.value).startswith("fortydays has no 'sho'. It has: Best, Comparison, Drill,")
    with pytest.raises(ImportError, match="cannot import name 'Sudy'"):
        exec("from fortydays import Sudy")


def test_the_import_loads_nothing() -> None:
    code = "import json, sys; old = {*sys.modules}; import fortydays; print(json.dumps([*({*sys.modules} - old)]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in json.loads(done.stdout)} <= {"fortydays", *sys.stdlib_module_names}


@pytest.mark.parametrize("before", ["", "import fortydays.fit.request", "import fortydays.api", "fd.show(1)"])
def test_the_function_that_has_the_name_of_a_room_can_be_called_whatever_is_imported(before: str) -> None:
    """Importing the room gives the package an attribute ``fit``, which must still be what a reader calls."""
    code = f"""
import fortydays as fd
{before}
try:
    fd.fit("/nowhere")
except fd.FortydaysError as error:
    print(error.message)
import fortydays.fit.request as room
from fortydays.fit.request import FitRequest
print(fd.fit.request is room and fd.fit.__doc__.startswith("What is learned"), callable(fd.fit))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "There is no /nowhere.\nTrue True\n")

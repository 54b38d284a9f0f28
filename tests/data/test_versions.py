"""Versions of a made-up folder of flowers, kept and shared by the real DVC."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from own_folder import FLOWERS, Meddler, cached_objects, content_of, fill, object_of, overwrite, settings_of

from fortydays.base.errors import DataError, FortydaysError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data import dvc_command
from fortydays.data.version_documents import find, names, numbers
from fortydays.data.versions import add_version, check_out, difference, pull, push, verify_versions

SECOND = {**FLOWERS, "readme.txt": b"second", "roses/3.png": b"pink"}


@pytest.fixture(scope="module", autouse=True)
def no_settings_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp("none")))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace, home, that has two versions of flowers; and a remote that has them too."""
    place = tmp_path_factory.mktemp("made")
    settings = settings_of(place / "home")
    folder = fill(place / "flowers", FLOWERS)
    add_version(folder, "flowers", settings, message="as they came")
    fill(folder, SECOND)
    add_version(folder, "flowers", settings)
    push("flowers", str(place / "remote"), settings)
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "place"))


@pytest.fixture
def settings(place: Path) -> Settings:
    return settings_of(place / "home")


def version_folder(settings: Settings, number: int) -> Path:
    return settings.workspace / "data" / "versions" / "flowers" / f"v{number}"


def brought_back_anew(settings: Settings) -> None:
    """Have the next use of a version ask DVC for its files."""
    for number in (1, 2):
        shutil.rmtree(version_folder(settings, number) / "content")


# ------------------------------------------------------------------------------------------------------------ adding


def test_a_version_says_what_it_holds(made: Path) -> None:
    first, second = (find("flowers", number, settings_of(made / "home")) for number in (1, 2))
    assert (str(first), first.message, first.files, first.bytes) == ("flowers@v1", "as they came", 4, 22)
    assert first.classes == {".": 1, "roses": 2, "tulips": 1}
    assert (str(second), second.files, second.classes["roses"]) == ("flowers@v2", 5, 3)
    listed = [[path, hashlib.sha256(FLOWERS[path]).hexdigest()] for path in sorted(FLOWERS)]
    assert first.digest == hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()


def test_what_systems_put_beside_the_files_is_no_class_and_the_folder_is_only_read(tmp_path: Path) -> None:
    folder = fill(tmp_path / "flowers", FLOWERS)
    fill(folder, {".git/config": b"x", "@eaDir/1.png": b"x", "__MACOSX/._1.png": b"x", "roses/Thumbs.db": b"x"})
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino, path.stat().st_mode) for path in folder.rglob("*")}
    listener = Meddler()
    version, new = add_version(folder, "flowers", settings_of(tmp_path / "home"), progress=listener)
    assert (new, version.files, dict(version.classes)) == (True, 4, {".": 1, "roses": 2, "tulips": 1})
    assert listener.said == ["Left out, because systems and programs put it there: .git, @eaDir, __MACOSX and 1 more."]
    after = {path: (path.stat().st_mtime_ns, path.stat().st_ino, path.stat().st_mode) for path in folder.rglob("*")}
    assert after == before


def test_the_same_content_makes_no_version_and_what_two_share_is_kept_once(place: Path, settings: Settings) -> None:
    newest = find("flowers", 2, settings)
    assert add_version(place / "flowers", "flowers", settings) == (newest, False)
    assert numbers("flowers", settings) == [1, 2]
    # Two lists, the four files of the first version, and what is new in the second.
    assert len(cached_objects(settings)) == 2 + 4 + 2


def test_a_folder_that_changes_meanwhile_makes_no_version(place: Path, settings: Settings) -> None:
    fill(place / "flowers", {"roses/4.png": b"new"})
    meddler = Meddler(ends={"Copying flowers": lambda: fill(place / "flowers", {"roses/1.png": b"changed"})})
    with pytest.raises(DataError) as caught:
        add_version(place / "flowers", "flowers", settings, progress=meddler)
    assert caught.value.message == f"{place / 'flowers'} changed while the version was made; no version was made."
    assert numbers("flowers", settings) == [1, 2]


def test_an_add_that_is_killed_loses_nothing_and_leaves_nothing(place: Path, settings: Settings) -> None:
    fill(place / "flowers", {"roses/4.png": b"new"})
    code = (
        "import os, signal, sys; from pathlib import Path; from fortydays.data import versions;"
        "from fortydays.base.settings import read_settings;"
        "run = versions.dvc;"
        "versions.dvc = lambda *a, **k: (run(*a, **k), os.kill(os.getpid(), signal.SIGKILL));"
        "versions.add_version(Path(sys.argv[1]), 'flowers', read_settings())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(place / "flowers")],
        env={**os.environ, "FORTYDAYS_HOME": str(settings.workspace)},
        check=False,
    )
    assert done.returncode == -9
    assert numbers("flowers", settings) == [1, 2]
    assert add_version(place / "flowers", "flowers", settings)[0].number == 3
    assert verify_versions("flowers", settings).right
    assert [path.name for path in settings.workspace.rglob("*.part")] == []


def make_link(folder: Path) -> None:
    (folder / "roses" / "link.png").symlink_to(folder / "readme.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (make_link, "A version cannot hold roses/link.png in {folder}: it is a link, and links are not followed."),
        (lambda folder: os.mkfifo(folder / "pipe"), "A version cannot hold pipe in {folder}: it is neither a file "),
        (
            lambda folder: fill(folder, {"a/b.dvc": b""}),
            "A version cannot hold a/b.dvc in {folder}: DVC takes it for ",
        ),
        (lambda folder: fill(folder, {"dvc.yaml": b""}), "A version cannot hold dvc.yaml in {folder}: DVC takes it "),
        (lambda folder: (folder / os.fsdecode(b"\xff")).touch(), "A version cannot hold ? in {folder}: its name is "),
        (shutil.rmtree, "There is no folder {folder}."),
        (lambda folder: (shutil.rmtree(folder), folder.touch()), "{folder} is a file; expected a folder."),
        (lambda folder: (shutil.rmtree(folder), fill(folder, {".git/x": b""})), "{folder} holds no file."),
    ],
)
def test_a_folder_that_cannot_be_kept_is_refused(
    tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    folder = fill(tmp_path / "flowers", FLOWERS)
    change(folder)
    with pytest.raises(DataError) as caught:
        add_version(folder, "flowers", settings_of(tmp_path / "home"))
    assert caught.value.message.startswith(message.format(folder=folder))
    assert names(settings_of(tmp_path / "home")) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../flowers", "'../flowers' is no name for data; "),
        ("Flowers", "'Flowers' is no name for data; "),
        ("mnist", "'mnist' is a dataset that fortydays brings along; "),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        add_version(fill(tmp_path / "flowers", FLOWERS), name, settings_of(tmp_path / "home"))
    assert caught.value.message.startswith(message)


def test_a_folder_and_the_workspace_do_not_lie_in_one_another(tmp_path: Path) -> None:
    folder = fill(tmp_path / "flowers", FLOWERS)
    with pytest.raises(DataError, match="lie in one another"):
        add_version(folder, "flowers", settings_of(folder / "home"))


# ---------------------------------------------------------------------------------------------------- looking, taking


def test_two_versions_are_compared_file_by_file(made: Path) -> None:
    settings = settings_of(made / "home")
    found = difference(find("flowers", 1, settings), find("flowers", 2, settings), settings)
    assert found == {"added": ["roses/3.png"], "removed": [], "changed": ["readme.txt"]}


@pytest.mark.parametrize("mask", [0o077, 0o002])
def test_a_version_is_checked_out_byte_for_byte_with_the_modes_of_new_files(
    place: Path, settings: Settings, mask: int
) -> None:
    old = os.umask(mask)
    try:
        check_out(find("flowers", 1, settings), place / "out", settings)
    finally:
        os.umask(old)
    assert content_of(place / "out") == FLOWERS
    for path in ((place / "out"), *(place / "out").rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~mask, path
    # What is done to these files does not reach what is kept.
    overwrite(place / "out" / "roses" / "1.png", b"mine")
    assert verify_versions("flowers", settings).right


def test_without_a_number_the_newest_is_checked_out_into_an_empty_folder(place: Path, settings: Settings) -> None:
    (place / "out").mkdir()
    before = (place / "out").stat().st_ino
    check_out(find("flowers", None, settings), place / "out", settings)
    assert content_of(place / "out") == SECOND
    assert (place / "out").stat().st_ino == before


def test_nothing_that_is_there_is_overwritten(place: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"flowers is not empty: it holds .*; expected a new or an empty folder"):
        check_out(find("flowers", 1, settings), place / "flowers", settings)
    with pytest.raises(UsageError, match=r"readme\.txt is a file; expected a new or an empty folder"):
        check_out(find("flowers", 1, settings), place / "flowers" / "readme.txt", settings)
    with pytest.raises(UsageError, match="lies in the workspace's own folder of data"):
        check_out(find("flowers", 1, settings), settings.workspace / "data" / "out", settings)
    assert content_of(place / "flowers") == SECOND


def test_a_checkout_that_fails_leaves_the_folder_as_it_was(
    place: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(FortydaysError):
        check_out(find("flowers", 1, settings), place / "out", settings)
    assert not (place / "out").exists()


def test_an_unknown_name_or_version_is_told_with_what_there_is(settings: Settings) -> None:
    with pytest.raises(UsageError) as caught:
        find("flower", 1, settings)
    assert caught.value.message == "There is no data of your own 'flower'. Did you mean 'flowers'?"
    assert caught.value.hint == "Make its first version with: forty data add FOLDER --name flower"
    with pytest.raises(UsageError) as caught:
        find("flowers", 3, settings)
    assert caught.value.message == "'flowers' has no version v3."
    assert caught.value.hint == "It has v1, v2."


def test_importing_and_listing_load_no_dvc(settings: Settings) -> None:
    code = (
        "import sys; from fortydays.data import version_documents, versions;"
        "from fortydays.base.settings import read_settings;"
        "print(version_documents.numbers('flowers', read_settings()), 'dvc' in sys.modules)"
    )
    environment = {**os.environ, "FORTYDAYS_HOME": str(settings.workspace)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[1, 2] False\n"


# ------------------------------------------------------------------------------------------------------------ damage


def test_damage_is_named_not_checked_out_and_mended_by_a_pull(place: Path, settings: Settings) -> None:
    overwrite(object_of(settings, b"second"), b"sEcond")
    object_of(settings, b"pink").unlink()
    altered, missing = "readme.txt (v2) is altered in the cache", "roses/3.png (v2) is missing from the cache"
    assert verify_versions("flowers", settings).problems == (altered, missing)
    with pytest.raises(DataError) as caught:
        check_out(find("flowers", 2, settings), place / "out", settings)
    assert caught.value.message == f"flowers@v2 cannot be used: {altered}, and 1 more."
    assert caught.value.hint == "Where it was pushed, get it back with: forty data pull flowers REMOTE"
    assert not (place / "out").exists()
    assert pull("flowers", str(place / "remote"), settings) == []
    assert verify_versions("flowers", settings).right
    check_out(find("flowers", 2, settings), place / "out", settings)
    assert content_of(place / "out") == SECOND


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": None},
        {"name": "roses"},
        {"number": True},
        {"files": 5},
        {"bytes": -1},
        {"classes": {"a": "4"}},
        {"md5": "../../x.dir"},
        {"digest": ""},
        {"created": "yesterday"},
        {"message": "x\x1b[2J"},
    ],
)
def test_a_damaged_document_is_refused_with_the_way_out(settings: Settings, change: dict[str, object]) -> None:
    path = version_folder(settings, 1) / "version.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError) as caught:
        find("flowers", 1, settings)
    assert caught.value.message == f"{path} is damaged: it is no document of version 1 of 'flowers'."
    assert caught.value.hint.startswith(f"Move {path.parent} away. Where it was pushed, get it back with: forty data")
    assert verify_versions("flowers", settings).problems == (caught.value.message.rstrip("."),)
    assert find("flowers", 2, settings).number == 2


def test_a_document_that_a_newer_program_made_is_told(settings: Settings) -> None:
    path = version_folder(settings, 1) / "version.json"
    path.write_text(json.dumps({"schema_version": 2}))
    with pytest.raises(DataError) as caught:
        find("flowers", 1, settings)
    assert caught.value.message == f"{path} was made by a newer fortydays: its schema_version is 2, expected 1."


# ----------------------------------------------------------------------------------------------------------- remotes


def test_versions_travel_over_a_remote_and_come_only_once(place: Path, settings: Settings) -> None:
    remote, other = str(place / "remote"), settings_of(place / "other")
    assert push("flowers", remote, settings) == []
    assert [str(version) for version in pull("flowers", remote, other)] == ["flowers@v1", "flowers@v2"]
    assert [find("flowers", number, other) for number in (1, 2)] == [find("flowers", n, settings) for n in (1, 2)]
    check_out(find("flowers", 1, other), place / "out", other)
    assert content_of(place / "out") == FLOWERS


def test_versions_that_were_made_apart_are_not_mixed(place: Path, tmp_path: Path) -> None:
    other = settings_of(tmp_path / "other")
    add_version(fill(tmp_path / "flowers", {"a/1.png": b"1"}), "flowers", other)
    for exchange in (push, pull):
        with pytest.raises(DataError) as caught:
            exchange("flowers", str(place / "remote"), other)
        assert caught.value.message.startswith(f"{place / 'remote'} has another v1 of 'flowers': made ")
        assert caught.value.hint.startswith("Two workspaces made it independently.")


def test_a_damaged_document_in_a_remote_is_told(place: Path, settings: Settings) -> None:
    path = place / "remote" / "fortydays" / "flowers" / "v2.json"
    path.write_text("{")
    with pytest.raises(DataError) as caught:
        pull("flowers", str(place / "remote"), settings)
    assert caught.value.message == f"{path} is damaged: it is no document of version 2 of 'flowers'."
    assert caught.value.hint.startswith("If it is damaged: remove it there, and push again")


def test_a_remote_that_has_other_files_than_its_document_speaks_of_brings_none(place: Path, tmp_path: Path) -> None:
    other = settings_of(tmp_path / "other")
    path = place / "remote" / "fortydays" / "flowers" / "v1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "0" * 64}))
    with pytest.raises(DataError) as caught:
        pull("flowers", str(place / "remote"), other)
    assert caught.value.message == "The remote has other files for flowers@v1 than its document speaks of."
    assert caught.value.hint == "Push it again from the workspace that made it: forty data push flowers REMOTE"
    assert names(other) == []


def test_a_remote_whose_list_of_files_leads_out_of_the_folder_brings_nothing(place: Path, tmp_path: Path) -> None:
    other, remote = settings_of(tmp_path / "other"), place / "remote"
    evil = hashlib.md5(b"evil").hexdigest()
    listing = json.dumps([{"md5": evil, "relpath": "../../../../../evil.txt"}]).encode()
    name = hashlib.md5(listing).hexdigest()
    fill(remote / "files" / "md5", {f"{evil[:2]}/{evil[2:]}": b"evil", f"{name[:2]}/{name[2:]}.dir": listing})
    path = remote / "fortydays" / "flowers" / "v1.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"md5": f"{name}.dir", "files": 1, "classes": {"a": 1}}))
    with pytest.raises(DataError, match=r"names a file '\.\./\.\./\.\./\.\./\.\./evil\.txt'; it is not used"):
        pull("flowers", str(remote), other)
    assert list(tmp_path.rglob("evil.txt")) == []
    assert names(other) == []


@pytest.mark.parametrize(
    ("remote", "error", "message", "hint"),
    [
        ("", UsageError, "'' is no remote; expected a folder, or an address", ""),
        (
            "gopher://hole",
            UsageError,
            "gopher://hole is no remote that DVC knows.",
            "Expected a folder, or an address",
        ),
        ("s3://me:secret@bucket/x", DataError, "DVC failed: ", "Install it: pip install dvc-s3"),
        ("nowhere/at all", DataError, "The remote ", "Is its disk mounted?"),
        ("home/data/x", UsageError, "", ""),
    ],
)
def test_a_remote_that_cannot_be_used_is_told(
    place: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch,
    remote: str, error: type[FortydaysError], message: str, hint: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(place)
    with pytest.raises(error) as caught:
        push("flowers", remote, settings)
    assert caught.value.message.startswith(message)
    assert caught.value.hint.startswith(hint)
    assert "secret" not in caught.value.message
    assert "secret" not in (settings.workspace / "data" / ".dvc" / "config.local").read_text()


def test_an_unknown_kind_of_address_with_a_password_is_told_as_such(tmp_path: Path) -> None:
    """DVC never took it, so there is none to remove, which is no news to the reader."""
    settings = settings_of(tmp_path / "home")
    add_version(fill(tmp_path / "flowers", FLOWERS), "flowers", settings)
    with pytest.raises(UsageError) as caught:
        push("flowers", "gopher://me:secret@hole", settings)
    assert caught.value.message == "gopher://hole is no remote that DVC knows."


def test_without_the_network_only_a_folder_is_a_remote(place: Path) -> None:
    offline = read_settings({"FORTYDAYS_HOME": str(place / "home"), "FORTYDAYS_OFFLINE": "1"})
    with pytest.raises(DataError, match=r"s3://bucket was not tried, because FORTYDAYS_OFFLINE is set"):
        push("flowers", "s3://me:secret@bucket", offline)


def test_a_remote_that_holds_no_such_data_is_told(place: Path, settings: Settings) -> None:
    with pytest.raises(DataError) as caught:
        pull("tulips", str(place / "remote"), settings)
    assert caught.value.message == f"No version of 'tulips' was found in {place / 'remote'}."


# ---------------------------------------------------------------------------------------------------------------- DVC


@pytest.mark.parametrize(
    ("file", "command"), [(None, "make setup-data"), ("/usr/lib/x/y/z.py", "pip install 'fortydays[data]'")]
)
def test_without_dvc_the_one_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str | None, command: str
) -> None:
    monkeypatch.setitem(sys.modules, "dvc", None)
    if file:
        monkeypatch.setattr(dvc_command, "__file__", file)
    with pytest.raises(DataError) as caught:
        add_version(fill(tmp_path / "flowers", FLOWERS), "flowers", settings_of(tmp_path / "home"))
    assert caught.value.message == "Versions of your own data need DVC, which is not installed."
    assert caught.value.hint == f"Install it: {command}"


def run_instead(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Have another program run in the place of DVC."""
    program = folder / "program.py"
    program.write_text(code)
    monkeypatch.setattr(dvc_command.dvc_runner, "__file__", str(program))


def test_a_command_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, tmp_path, "import time; time.sleep(600)")
    monkeypatch.setattr(dvc_command, "_SECONDS", 0.1)
    with pytest.raises(DataError) as caught:
        dvc_command.dvc(tmp_path, ["version"])
    assert caught.value.message == "DVC was not done within 0 s."
    assert caught.value.hint == "Run the command again: it goes on where it stopped."


def test_commands_may_be_longer_than_a_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, tmp_path, "import pathlib, sys; pathlib.Path('told').write_text(sys.stdin.read())")
    commands = ["push", *("versions/flowers/v1/content.dvc" for _ in range(100_000))], ["version"]
    dvc_command.dvc(tmp_path, *commands)
    assert json.loads((tmp_path / "told").read_text()) == [*commands]


def test_dvc_reports_to_nobody_and_keeps_what_it_has_to_the_workspace(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = (made / "home" / "data" / ".dvc" / "config").read_text()
    assert "analytics = false" in config
    assert "no_scm = true" in config
    assert (made / "home" / "data").stat().st_mode & 0o777 == 0o700
    run_instead(monkeypatch, tmp_path, "import json, os; json.dump(dict(os.environ), open('told', 'w'))")
    dvc_command.dvc(tmp_path, ["version"])
    told: dict[str, Any] = json.loads((tmp_path / "told").read_text())
    assert told["DVC_NO_ANALYTICS"] == "1"
    assert Path(told["DVC_SITE_CACHE_DIR"]).is_relative_to(tmp_path)


def test_the_command_of_dvc_itself_brings_a_version_back(place: Path, settings: Settings) -> None:
    brought_back_anew(settings)
    dvc_command.dvc(settings.workspace / "data", ["checkout", "content.dvc"], folder=version_folder(settings, 1))
    assert content_of(version_folder(settings, 1) / "content") == FLOWERS

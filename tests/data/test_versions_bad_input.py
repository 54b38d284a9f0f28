import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from own_folder import FLOWERS, Meddler, cached_objects, content_of, fill, settings_of

from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.settings import Settings
from fortydays.data import version_content, version_repository
from fortydays.data.version_documents import names, parse_number
from fortydays.data.versions import add_version, check_out, difference, pull, push, verify_versions, versions
from without_rights import run_without_rights

READING, READING_AGAIN = "Reading flowers", "Reading flowers again"


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../flowers",
        "/flowers",
        "a/b",
        "a\\b",
        "-flowers",
        "flowers-",
        "flo wers",
        "flowers\n",
        "\x1b[31m",
        "\0",
        "blüte",
        "\udcff",
        "a" * 64,
        "a" * 10_000,
    ],
)
def test_a_hostile_name_is_refused_by_every_command(
    own_workspace: Settings, flowers: Path, tmp_path: Path, name: str
) -> None:
    commands: list[Callable[[], object]] = [
        lambda: add_version(flowers, name, own_workspace),
        lambda: versions(name, own_workspace),
        lambda: difference(name, 1, 2, own_workspace),
        lambda: check_out(name, 1, tmp_path / "out", own_workspace),
        lambda: push(name, str(tmp_path / "remote"), own_workspace),
        lambda: pull(name, str(tmp_path / "remote"), own_workspace),
        lambda: verify_versions(name, own_workspace),
    ]
    for command in commands:
        with pytest.raises(UsageError, match=r"is no name for data; expected at most 63 of a-z") as caught:
            command()
        assert caught.value.message.isprintable()
        assert len(caught.value.message) < 250
    assert not own_workspace.workspace.exists()
    assert not (tmp_path / "out").exists()


def test_a_name_that_differs_only_in_case_is_another_spelling_of_the_same(
    own_workspace: Settings, flowers: Path
) -> None:
    add_version(flowers, "flowers", own_workspace)
    with pytest.raises(UsageError) as caught:
        add_version(flowers, "Flowers", own_workspace)
    assert caught.value.hint == "Did you mean 'flowers'?"
    assert names(own_workspace) == ["flowers"]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_name_of_a_dataset_of_the_catalog_is_taken(own_workspace: Settings, flowers: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        add_version(flowers, name, own_workspace)
    assert caught.value.message == (
        f"{name!r} is a dataset that fortydays brings along; your own data needs another name."
    )
    assert caught.value.hint == f"For instance: my-{name}"


def test_a_version_is_a_number() -> None:
    assert (parse_number("v1"), parse_number("12")) == (1, 12)
    for text in ("", "v", "v0", "-1", "1.5", "v1 ", "../v1", "V1", "٣", "1" * 10_000):
        with pytest.raises(UsageError, match="is no version; expected a number from 1, such as v1"):
            parse_number(text)


def test_a_message_has_bounds(own_workspace: Settings, flowers: Path) -> None:
    with pytest.raises(UsageError, match=r"The message has 1,001 characters; expected at most 1,000\."):
        add_version(flowers, "flowers", own_workspace, message="a" * 1_001)
    for text in ("\x1b[2J", "\udcff"):
        with pytest.raises(UsageError, match="holds characters that cannot be printed"):
            add_version(flowers, "flowers", own_workspace, message=text)
    assert names(own_workspace) == []
    version, _ = add_version(flowers, "flowers", own_workspace, message="two\nlines, {}%[/]")
    assert versions("flowers", own_workspace)[0].message == version.message == "two\nlines, {}%[/]"


# ----------------------------------------------------------------------------------------------------------- folders


def refused(folder: Path, settings: Settings) -> DataError:
    with pytest.raises(DataError) as caught:
        add_version(folder, "flowers", settings)
    assert names(settings) == []
    return caught.value


def test_a_folder_that_is_none_is_refused(own_workspace: Settings, tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere", own_workspace).message == f"There is no folder {tmp_path / 'nowhere'}."
    (tmp_path / "file").touch()
    message = f"{tmp_path / 'file'} is a file; expected a folder of files."
    assert refused(tmp_path / "file", own_workspace).message == message
    (tmp_path / "empty" / "folders" / "only").mkdir(parents=True)
    assert refused(tmp_path / "empty", own_workspace).message == f"{tmp_path / 'empty'} holds no file."


@pytest.mark.parametrize("target", ["../../outside", "2.png", "nowhere", "."])
def test_a_link_in_the_folder_is_refused_by_name(own_workspace: Settings, flowers: Path, target: str) -> None:
    fill(flowers.parent, {"outside": b"secret"})
    (flowers / "roses" / "link.png").symlink_to(target)
    error = refused(flowers, own_workspace)
    assert error.message == f"roses/link.png in {flowers} is a link; a version holds files and folders only."
    assert error.hint == "Put a copy of what it points to in its place, or take it away."


def test_what_is_neither_file_nor_folder_is_refused_by_name(own_workspace: Settings, flowers: Path) -> None:
    os.mkfifo(flowers / "roses" / "pipe")
    assert refused(flowers, own_workspace).message == (
        f"roses/pipe in {flowers} is neither a file nor a folder; a version holds files and folders only."
    )


def test_rules_for_dvc_are_refused_because_they_would_leave_files_out(own_workspace: Settings, flowers: Path) -> None:
    fill(flowers, {"roses/.dvcignore": b"*.png"})
    assert "roses/.dvcignore" in refused(flowers, own_workspace).message


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_file_name_that_is_no_text_is_refused(own_workspace: Settings, flowers: Path) -> None:
    Path(os.fsdecode(os.fsencode(flowers) + b"/roses/\xff.png")).touch()
    message = refused(flowers, own_workspace).message
    assert message.startswith("roses/?.png in ")
    assert "has a name that is not UTF-8" in message


def test_a_folder_that_is_named_through_a_link_is_read(own_workspace: Settings, flowers: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(flowers)
    assert add_version(tmp_path / "link", "flowers", own_workspace)[0].files == 4


def test_the_workspace_is_not_kept_in_itself(own_workspace: Settings, flowers: Path, tmp_path: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    for folder in (tmp_path, own_workspace.workspace, own_workspace.workspace / "data" / "versions"):
        with pytest.raises(DataError, match="lie in one another"):
            add_version(folder, "all", own_workspace)


ADDED = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from own_folder import settings_of
from fortydays.base.errors import FortydaysError
from fortydays.data.versions import add_version
home = Path(sys.argv[2])
try:
    add_version(home / "flowers", "flowers", settings_of(home / "workspace"))
except FortydaysError as error:
    print(type(error).__name__, error.message)
"""


@pytest.mark.parametrize("locked", ["roses/1.png", "roses"])
def test_what_may_not_be_read_is_named(flowers: Path, locked: str) -> None:
    (flowers / locked).chmod(0o000)
    said = run_without_rights(ADDED, str(Path(__file__).parent), str(flowers.parent))
    (flowers / locked).chmod(0o755)
    assert said.rstrip("/\n").startswith(f"StorageError Could not read {flowers / locked}")
    assert "Permission denied" in said


# --------------------------------------------------------------------------------- a folder that does not stand still


def change(folder: Path) -> None:
    (folder / "roses" / "2.png").write_bytes(b"WHITE")


def remove(folder: Path) -> None:
    (folder / "roses" / "2.png").unlink()


def appear(folder: Path) -> None:
    (folder / "roses" / "2a.png").write_bytes(b"new")


@pytest.mark.parametrize("meddle", [change, remove, appear])
@pytest.mark.parametrize("moment", ["before DVC looks", "before it is read again"])
def test_a_folder_that_changes_meanwhile_makes_no_version(
    own_workspace: Settings, flowers: Path, meddle: Callable[[Path], None], moment: str
) -> None:
    def act() -> None:
        meddle(flowers)

    early = moment == "before DVC looks"
    listener = Meddler(ends={READING: act}) if early else Meddler(starts={READING_AGAIN: act})
    if not early and meddle is not change:  # the second look at the folder comes before the task starts
        original = version_content.Content.copy_in

        def copy_and_meddle(self: version_content.Content, sources: dict[str, Path]) -> None:
            original(self, sources)
            act()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(version_content.Content, "copy_in", copy_and_meddle)
            error = changing(flowers, own_workspace, Meddler())
    else:
        error = changing(flowers, own_workspace, listener)
    name = "roses/2a.png" if meddle is appear else "roses/2.png"
    assert error.message == f"{name} in {flowers} changed while the version was made; no version was made."
    assert error.hint == "Wait until nothing writes to the folder, and run the command again."
    assert cached_objects(own_workspace) == []
    assert add_version(flowers, "flowers", own_workspace)[0].number == 1


def changing(folder: Path, settings: Settings, listener: Meddler) -> DataError:
    with pytest.raises(DataError) as caught:
        add_version(folder, "flowers", settings, progress=listener)
    assert names(settings) == []
    return caught.value


def test_a_file_that_changes_and_changes_back_makes_no_version(
    own_workspace: Settings, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = version_content.Content.copy_in

    def copy_while_changed(self: version_content.Content, sources: dict[str, Path]) -> None:
        change(flowers)
        original(self, sources)
        (flowers / "roses" / "2.png").write_bytes(FLOWERS["roses/2.png"])

    with monkeypatch.context() as patch:
        patch.setattr(version_content.Content, "copy_in", copy_while_changed)
        error = changing(flowers, own_workspace, Meddler())
    assert error.message.startswith(f"roses/2.png in {flowers} changed while the version was made")
    # DVC's cache would believe for ever that it holds the right bytes.
    assert cached_objects(own_workspace) == []
    add_version(flowers, "flowers", own_workspace)
    assert verify_versions("flowers", own_workspace).right


def test_what_earlier_versions_hold_outlives_a_refusal(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    fill(flowers, {"roses/3.png": b"pink"})
    with pytest.raises(DataError):
        add_version(
            flowers, "flowers", own_workspace, progress=Meddler(starts={READING_AGAIN: lambda: change(flowers)})
        )
    assert [version.number for version in versions("flowers", own_workspace)] == [1]
    assert verify_versions("flowers", own_workspace).right


def test_two_files_with_one_md5_are_refused(
    own_workspace: Settings, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fortydays.data import version_folder

    real = version_folder.digests_of_file

    def colliding(path: Path, report: Callable[[int], None] | None = None) -> version_folder.FileDigests:
        found = real(path, report)
        return version_folder.FileDigests(md5="0" * 32, sha256=found.sha256, size=found.size)

    monkeypatch.setattr(version_folder, "digests_of_file", colliding)
    assert "roses/1.png has the same MD5 as another file with other bytes" in refused(flowers, own_workspace).message


# ------------------------------------------------------------------------------------- full disks, kills, two at once


def test_a_full_disk_leaves_nothing_behind(
    own_workspace: Settings, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dvc_objects.fs.local as dvc_files

    real, copied = dvc_files.copyfile, []

    def full(source: str, target: str, **others: object) -> None:
        if len(copied) == 2:
            Path(target).write_bytes(b"ha")  # what fits
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)
        copied.append(target)
        real(source, target, **others)

    with monkeypatch.context() as patch:
        patch.setattr(dvc_files, "copyfile", full)
        with pytest.raises(StorageError, match=r"Could not keep files in .*md5: No space left on device\.") as caught:
            add_version(flowers, "flowers", own_workspace)
    assert caught.value.hint.startswith("The disk is full.")
    assert len(copied) == 2
    assert cached_objects(own_workspace) == []
    assert names(own_workspace) == []
    assert add_version(flowers, "flowers", own_workspace)[0].number == 1


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.EIO, os.strerror(errno.EIO))])
def test_what_goes_wrong_after_a_version_is_listed_takes_nothing_from_it(
    own_workspace: Settings, flowers: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    from fortydays.base import files

    place, real = own_workspace.workspace / "data" / "versions" / "flowers", files.sync_folder

    def sync(path: Path) -> None:
        if path == place and (place / "v1").exists():
            raise failure
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_folder", sync)
        with pytest.raises((KeyboardInterrupt, StorageError)):
            add_version(flowers, "flowers", own_workspace)
    assert names(own_workspace) == ["flowers"]
    assert verify_versions("flowers", own_workspace).right


@pytest.mark.parametrize(("fit", "reason"), [(2, "No space left on device"), (0, "DVC cannot copy a file there")])
def test_a_full_disk_at_checkout_leaves_nothing_behind(
    own_workspace: Settings, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit: int, reason: str
) -> None:
    import dvc_objects.fs.local as dvc_files

    add_version(flowers, "flowers", own_workspace)
    real, copied = dvc_files.copyfile, []

    def full(source: str, target: str, **others: object) -> None:
        if len(copied) == fit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)
        copied.append(target)
        real(source, target, **others)

    with monkeypatch.context() as patch:
        patch.setattr(dvc_files, "copyfile", full)
        with pytest.raises(StorageError, match=rf"Could not write .*: {reason}\."):
            check_out("flowers", 1, tmp_path / "out", own_workspace)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flowers", "home"]
    check_out("flowers", 1, tmp_path / "out", own_workspace)
    assert content_of(tmp_path / "out") == FLOWERS


def test_a_place_that_is_taken_is_left_as_it_is(own_workspace: Settings, flowers: Path, tmp_path: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    fill(tmp_path, {"full/mine": b"mine", "file": b"mine"})
    with pytest.raises(UsageError) as caught:
        check_out("flowers", 1, tmp_path / "full", own_workspace)
    assert caught.value.message == (
        f"{tmp_path / 'full'} is not empty: it holds mine; expected a new or an empty folder."
    )
    with pytest.raises(UsageError, match="file is a file; expected a new or an empty folder"):
        check_out("flowers", 1, tmp_path / "file", own_workspace)
    with pytest.raises(UsageError, match="lies in the workspace's own folder of data"):
        check_out("flowers", 1, own_workspace.workspace / "data" / "out", own_workspace)
    assert content_of(tmp_path / "full") == {"mine": b"mine"}


def test_an_empty_folder_that_cannot_be_filled_is_empty_again(
    own_workspace: Settings, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(flowers, "flowers", own_workspace)
    (tmp_path / "out").mkdir()
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name == "tulips":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(StorageError, match=r"Could not write .*out: Input/output error"):
            check_out("flowers", 1, tmp_path / "out", own_workspace)
    assert list((tmp_path / "out").iterdir()) == []
    check_out("flowers", 1, tmp_path / "out", own_workspace)
    assert content_of(tmp_path / "out") == FLOWERS


def test_what_appears_in_the_folder_meanwhile_is_left_as_it_is(
    own_workspace: Settings, flowers: Path, tmp_path: Path
) -> None:
    add_version(flowers, "flowers", own_workspace)
    (tmp_path / "out").mkdir()
    listener = Meddler(ends={"Checking flowers v1": lambda: fill(tmp_path, {"out/roses/mine": b"mine"})})
    with pytest.raises(StorageError, match=r"out/roses: something was put there meanwhile\."):
        check_out("flowers", 1, tmp_path / "out", own_workspace, progress=listener)
    assert content_of(tmp_path / "out") == {"roses/mine": b"mine"}


IN_ANOTHER_PROCESS = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from own_folder import Meddler, settings_of
from fortydays.base import files
from fortydays.data import version_content
from fortydays.data.versions import add_version
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
moment = {moment!r}
if moment == "half copied":
    import dvc_objects.fs.local as dvc_files
    def half(source, target, **others):
        Path(target).write_bytes(b"h")
        die()
    dvc_files.copyfile = half
elif moment == "unlisted":
    files.sync_all = die
elif moment == "read":
    version_content.Content.copy_in = die
version, made = add_version(Path({folder!r}), "flowers", settings_of(Path({home!r})))
print(version.number, made)
"""


def start(folder: Path, settings: Settings, *, moment: str = "") -> "subprocess.Popen[str]":
    code = IN_ANOTHER_PROCESS.format(
        tests=str(Path(__file__).parent), moment=moment, folder=str(folder), home=str(settings.workspace)
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("moment", ["read", "half copied", "unlisted"])
def test_a_killed_process_leaves_no_half_version(own_workspace: Settings, flowers: Path, moment: str) -> None:
    process = start(flowers, own_workspace, moment=moment)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    assert names(own_workspace) == []
    with pytest.raises(UsageError, match="There is no data of your own 'flowers'"):
        versions("flowers", own_workspace)
    assert add_version(flowers, "flowers", own_workspace)[0].number == 1
    assert verify_versions("flowers", own_workspace).right
    # What the killed process was in the middle of is gone.
    left = [path for path in (own_workspace.workspace / "data").rglob(".*") if path.suffix in (".tmp", ".part")]
    assert left == []
    assert len(cached_objects(own_workspace)) == len(FLOWERS) + 1


def test_two_processes_that_add_to_one_name_take_turns(own_workspace: Settings, flowers: Path, tmp_path: Path) -> None:
    other = fill(tmp_path / "other", {"roses/1.png": b"black"})
    processes = [start(flowers, own_workspace), start(other, own_workspace)]
    said = []
    for process in processes:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        said.append(output)
    assert sorted(said) == ["1 True\n", "2 True\n"]
    assert [version.number for version in versions("flowers", own_workspace)] == [1, 2]
    assert sorted(version.files for version in versions("flowers", own_workspace)) == [1, 4]
    assert verify_versions("flowers", own_workspace).right


def test_who_has_to_wait_is_told(own_workspace: Settings, flowers: Path) -> None:
    import threading

    from fortydays.base import files

    listener, waiting = Meddler(), threading.Event()
    listener.say = lambda message: (listener.said.append(message), waiting.set())  # type: ignore[method-assign]
    with files.locked(own_workspace.workspace / "data" / "lock"):
        thread = threading.Thread(
            target=lambda: add_version(flowers, "flowers", own_workspace, progress=listener), daemon=True
        )
        thread.start()
        assert waiting.wait(30)
        assert names(own_workspace) == []
    thread.join(60)
    assert names(own_workspace) == ["flowers"]
    assert listener.said == ["Waiting for another process that works on versions of data."]


# ------------------------------------------------------------------------------------------------------- DVC itself


@pytest.mark.parametrize(
    ("place", "command"),
    [(None, "make setup-data"), ("/usr/lib/fortydays/data/x.py", "pip install 'fortydays[data]'")],
)
def test_without_dvc_the_one_command_is_told(
    own_workspace: Settings,
    flowers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str | None,
    command: str,
) -> None:
    add_version(flowers, "flowers", own_workspace)
    monkeypatch.setitem(sys.modules, "dvc", None)
    if place:
        monkeypatch.setattr(version_repository, "__file__", place)
    commands: list[Callable[[], object]] = [
        lambda: add_version(flowers, "flowers", own_workspace),
        lambda: difference("flowers", 1, 1, own_workspace),
        lambda: check_out("flowers", 1, tmp_path / "out", own_workspace),
        lambda: push("flowers", str(tmp_path / "remote"), own_workspace),
        lambda: pull("flowers", str(tmp_path / "remote"), own_workspace),
        lambda: verify_versions("flowers", own_workspace),
    ]
    for each in commands:
        with pytest.raises(DataError) as caught:
            each()
        assert caught.value.message == "Versions of your own data need DVC, which is not installed."
        assert caught.value.hint == f"Install it: {command}"
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "remote").exists()
    assert len(versions("flowers", own_workspace)) == 1  # what needs no DVC goes on


def test_settings_of_dvc_that_cannot_be_read_are_told(
    own_workspace: Settings, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "bad", {"config": b"[core\nx"})
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "bad"))
    with pytest.raises(DataError, match=r"DVC cannot be used in .*: config file error") as caught:
        add_version(flowers, "flowers", own_workspace)
    assert caught.value.hint == "See DVC's settings: dvc config --list"
    assert names(settings_of(own_workspace.workspace)) == []


def test_a_readers_settings_of_dvc_do_not_make_links(
    own_workspace: Settings, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "links", {"config": b"[cache]\n    type = symlink\n    dir = /nowhere\n"})
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "links"))
    add_version(flowers, "flowers", own_workspace)
    fill(own_workspace.workspace / "data" / ".dvc", {"config": b"[cache]\n    type = hardlink,symlink\n"})
    check_out("flowers", 1, tmp_path / "out", own_workspace)
    assert not (tmp_path / "out" / "readme.txt").is_symlink()
    assert (tmp_path / "out" / "readme.txt").stat().st_nlink == 1
    assert len(cached_objects(own_workspace)) == len(FLOWERS) + 1


def test_dvcs_messages_and_bars_are_kept_off_and_its_failures_gathered(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import logging

    from dvc.progress import Tqdm

    # DVC's own handlers write to the screen of the test that imported it, which is closed by now.
    monkeypatch.setattr(logging.getLogger("dvc"), "handlers", [])
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    why = ValueError("why")
    with version_repository.silent() as failures:
        logging.getLogger("dvc.repo").warning("loud")
        logging.getLogger("dvc_objects.db").error("louder")
        logging.getLogger("dvc_data.hashfile.transfer").error("failed", exc_info=why)
        with Tqdm(total=1, file=screen) as bar:
            bar.update()
    assert (failures, caplog.records, screen.getvalue()) == ([why], [], "")
    logging.getLogger("dvc.repo").warning("as before")
    assert [record.message for record in caplog.records] == ["as before"]

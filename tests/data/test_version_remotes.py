import dataclasses
import errno
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_folder import FLOWERS, Meddler, cached_objects, content_of, fill, object_of, overwrite, settings_of

from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.settings import Settings
from fortydays.data.version_documents import names
from fortydays.data.versions import add_version, check_out, pull, push, verify_versions, versions


@pytest.fixture
def other_workspace(own_workspace: Settings, tmp_path: Path) -> Settings:
    return settings_of(tmp_path / "other home")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return tmp_path / "a remote"


@pytest.fixture
def pushed(own_workspace: Settings, flowers: Path, remote: Path) -> Settings:
    """A workspace whose version 1 of FLOWERS is in the remote."""
    add_version(flowers, "flowers", own_workspace)
    push("flowers", str(remote), own_workspace)
    return own_workspace


def test_what_one_workspace_pushed_another_pulls(
    own_workspace: Settings, other_workspace: Settings, flowers: Path, remote: Path, tmp_path: Path
) -> None:
    add_version(flowers, "flowers", own_workspace, message="first")
    fill(flowers, {"roses/3.png": b"pink"})
    add_version(flowers, "flowers", own_workspace, message="second")
    assert push("flowers", str(remote), own_workspace) == tuple(versions("flowers", own_workspace))
    assert push("flowers", str(remote), own_workspace) == ()

    assert pull("flowers", str(remote), other_workspace) == tuple(versions("flowers", own_workspace))
    assert versions("flowers", other_workspace) == versions("flowers", own_workspace)
    assert pull("flowers", str(remote), other_workspace) == ()
    assert verify_versions("flowers", other_workspace).right
    check_out("flowers", 1, tmp_path / "out", other_workspace)
    assert content_of(tmp_path / "out") == FLOWERS


def test_versions_travel_both_ways(pushed: Settings, other_workspace: Settings, flowers: Path, remote: Path) -> None:
    pull("flowers", str(remote), other_workspace)
    fill(flowers, {"roses/3.png": b"pink"})
    second, _ = add_version(flowers, "flowers", other_workspace)
    assert second.number == 2
    assert push("flowers", str(remote), other_workspace) == (second,)
    assert pull("flowers", str(remote), pushed) == (second,)
    assert [version.number for version in versions("flowers", pushed)] == [1, 2]


def test_content_lies_in_the_remote_as_dvc_lays_it_out(pushed: Settings, remote: Path) -> None:
    (version,) = versions("flowers", pushed)
    md5s = [hashlib.md5(content).hexdigest() for content in FLOWERS.values()]
    expected = {f"{md5[:2]}/{md5[2:]}" for md5 in (*md5s, version.md5)}
    assert set(content_of(remote / "files" / "md5")) == expected
    document = json.loads((remote / "fortydays" / "flowers" / "v1.json").read_text())
    assert (document["name"], document["number"], document["digest"]) == ("flowers", 1, version.digest)


def test_a_remote_of_dvcs_own_settings_has_its_name(
    own_workspace: Settings, other_workspace: Settings, flowers: Path, remote: Path
) -> None:
    add_version(flowers, "flowers", own_workspace)
    subprocess.run(
        [sys.executable, "-m", "dvc", "remote", "add", "shelf", str(remote)],
        cwd=own_workspace.workspace / "data",
        env={**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(own_workspace.workspace / "site")},
        capture_output=True,
        check=True,
    )
    assert len(push("flowers", "remote://shelf", own_workspace)) == 1
    assert len(pull("flowers", str(remote), other_workspace)) == 1
    with pytest.raises(DataError, match="remote 'nowhere' doesn't exist"):
        push("flowers", "remote://nowhere", own_workspace)


def test_names_share_a_remote(pushed: Settings, other_workspace: Settings, flowers: Path, remote: Path) -> None:
    add_version(flowers, "more", pushed)
    push("more", str(remote), pushed)
    pull("more", str(remote), other_workspace)
    assert names(other_workspace) == ["more"]


def test_versions_made_apart_are_not_mixed(
    pushed: Settings, other_workspace: Settings, flowers: Path, remote: Path
) -> None:
    fill(flowers, {"roses/3.png": b"pink"})
    apart, _ = add_version(flowers, "flowers", other_workspace)
    before = content_of(remote)
    for command in (push, pull):
        with pytest.raises(DataError) as caught:
            command("flowers", str(remote), other_workspace)
        assert caught.value.message.startswith(f"{remote} has another v1 of 'flowers': made ")
        assert caught.value.hint.startswith("Two workspaces made it independently.")
    assert content_of(remote) == before
    assert versions("flowers", other_workspace) == [apart]


def test_the_same_content_made_apart_is_one_version(
    pushed: Settings, other_workspace: Settings, flowers: Path, remote: Path
) -> None:
    mine, _ = add_version(flowers, "flowers", other_workspace, message="mine")
    assert pull("flowers", str(remote), other_workspace) == ()
    assert push("flowers", str(remote), other_workspace) == ()
    assert versions("flowers", other_workspace) == [mine]


# ------------------------------------------------------------------------------------------ a remote that is not there


@pytest.mark.parametrize("text", ["", " ", "a\nb", "\x1b[2J", "\0", "a" * 5_000])
def test_what_is_no_remote_is_refused(own_workspace: Settings, flowers: Path, text: str) -> None:
    add_version(flowers, "flowers", own_workspace)
    for command in (push, pull):
        with pytest.raises(UsageError, match=r"is no remote; expected a folder, or an address such as"):
            command("flowers", text, own_workspace)


def test_a_kind_of_remote_that_dvc_does_not_know_is_refused(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    with pytest.raises(UsageError) as caught:
        push("flowers", "gopher://hole/1", own_workspace)
    assert caught.value.message == "gopher://hole/1 is no remote that DVC knows."


def test_without_the_network_only_folders_are_remotes(own_workspace: Settings, flowers: Path, remote: Path) -> None:
    offline = dataclasses.replace(own_workspace, offline=True)
    add_version(flowers, "flowers", offline)
    for command in (push, pull):
        with pytest.raises(DataError) as caught:
            command("flowers", "http://127.0.0.1:9/shelf", offline)
        assert caught.value.message == ("http://127.0.0.1:9/shelf was not tried, because FORTYDAYS_OFFLINE is set.")
    assert len(push("flowers", str(remote), offline)) == 1


def test_a_kind_of_remote_that_needs_a_package_names_it(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    with pytest.raises(DataError) as caught:
        push("flowers", "s3://bucket/folder", own_workspace)
    assert caught.value.message == "s3://bucket/folder needs the package dvc-s3, which is not installed."
    assert caught.value.hint == "Install it: pip install dvc-s3"


def test_the_workspace_is_no_remote(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    with pytest.raises(UsageError, match="lies in the workspace's own folder of data"):
        push("flowers", str(own_workspace.workspace / "data" / ".dvc" / "cache"), own_workspace)


def test_a_folder_that_cannot_be_reached_is_told(own_workspace: Settings, flowers: Path, tmp_path: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    away = tmp_path / "disk that is not mounted" / "remote"
    with pytest.raises(DataError) as caught:
        push("flowers", str(away), own_workspace)
    assert caught.value.message == f"The remote {away} cannot be reached: there is no folder {away.parent}."
    assert caught.value.hint == "Is its disk mounted?"
    with pytest.raises(DataError, match="cannot be reached: there is no folder"):
        pull("flowers", str(away), own_workspace)
    assert not away.parent.exists()
    fill(tmp_path, {"file": b""})
    with pytest.raises(DataError, match="file is a file; expected a folder"):
        push("flowers", str(tmp_path / "file"), own_workspace)


def test_a_remote_without_that_name_is_told(pushed: Settings, other_workspace: Settings, remote: Path) -> None:
    with pytest.raises(DataError) as caught:
        pull("roses", str(remote), other_workspace)
    assert caught.value.message == f"{remote} holds no version of 'roses'."
    assert caught.value.hint == "Push it there first: forty data push roses REMOTE"
    assert names(other_workspace) == []


def test_nothing_can_be_pushed_that_is_not_there(own_workspace: Settings, remote: Path) -> None:
    with pytest.raises(UsageError, match="There is no data of your own 'roses'"):
        push("roses", str(remote), own_workspace)
    assert not remote.exists()


# --------------------------------------------------------------------------------------------------------- two at once


def test_two_pushes_to_one_folder_take_turns(
    own_workspace: Settings, other_workspace: Settings, flowers: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fortydays.data import version_remote

    mine, _ = add_version(flowers, "flowers", own_workspace)
    fill(flowers, {"roses/3.png": b"pink"})
    add_version(flowers, "flowers", other_workspace)
    real, waiting = version_remote.send, threading.Event()
    listener, refused = Meddler(), []
    listener.say = lambda message: (listener.said.append(message), waiting.set())  # type: ignore[method-assign]

    def push_other() -> None:
        try:
            push("flowers", str(remote), other_workspace, progress=listener)
        except DataError as error:
            refused.append(error.message)

    thread = threading.Thread(target=push_other, daemon=True)

    def send(*arguments: object) -> None:
        if not thread.ident:
            thread.start()
            assert waiting.wait(30)
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(version_remote, "send", send)
    assert push("flowers", str(remote), own_workspace) == (mine,)
    thread.join(60)
    assert listener.said == [f"Waiting for another push to {remote}."]
    assert [message[: len(str(remote)) + 27] for message in refused] == [f"{remote} has another v1 of 'flowers"]
    assert json.loads((remote / "fortydays" / "flowers" / "v1.json").read_text())["digest"] == mine.digest


# ---------------------------------------------------------------------------------------------------------- full disks


def test_a_full_remote_is_told_and_a_second_push_completes(
    own_workspace: Settings, other_workspace: Settings, flowers: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dvc_objects.fs.local as dvc_files

    add_version(flowers, "flowers", own_workspace)
    here = content_of(own_workspace.workspace / "data" / "versions")
    real, copied = dvc_files.copyfile, []

    def full(source: str, target: str, **others: object) -> None:
        if len(copied) >= 2:
            Path(target).write_bytes(b"h")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)
        copied.append(target)
        real(source, target, **others)

    with monkeypatch.context() as patch:
        patch.setattr(dvc_files, "copyfile", full)
        with pytest.raises(DataError) as caught:
            push("flowers", str(remote), own_workspace)
    assert caught.value.message == f"Could not write to {remote}: No space left on device."
    assert caught.value.hint == "Free some space there and run the command again: it does what is still to do."
    assert len(copied) == 2
    assert content_of(own_workspace.workspace / "data" / "versions") == here
    assert verify_versions("flowers", own_workspace).right
    assert [path for path in content_of(remote) if not path.startswith("files/md5/")] == ["fortydays/.lock"]
    assert [path for path in content_of(remote) if path.endswith(".tmp")] == []
    with pytest.raises(DataError, match="holds no version of 'flowers'"):
        pull("flowers", str(remote), other_workspace)

    assert len(push("flowers", str(remote), own_workspace)) == 1
    assert len(pull("flowers", str(remote), other_workspace)) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "small disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.skipif(not shutil.which("mount"), reason="there is no mount here")
def test_a_disk_that_is_really_full(own_workspace: Settings, flowers: Path, small_disk: Path) -> None:
    fill(flowers, {"roses/large.png": bytes(range(256)) * 8_000})
    add_version(flowers, "flowers", own_workspace)
    with pytest.raises(DataError) as caught:
        push("flowers", str(small_disk / "remote"), own_workspace)
    assert caught.value.message == f"Could not write to {small_disk / 'remote'}: No space left on device."
    full = settings_of(small_disk / "home")
    with pytest.raises(StorageError, match="No space left on device"):
        add_version(flowers, "flowers", full)
    assert names(full) == []
    assert cached_objects(full) == []
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    assert len(push("flowers", str(small_disk / "remote"), own_workspace)) == 1
    assert len(pull("flowers", str(small_disk / "remote"), full)) == 1


@pytest.mark.skipif(not shutil.which("mount"), reason="there is no mount here")
def test_an_empty_disk_can_be_filled(own_workspace: Settings, flowers: Path, small_disk: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    check_out("flowers", 1, small_disk, own_workspace)
    assert content_of(small_disk) == FLOWERS


def test_a_full_disk_here_is_not_blamed_on_the_remote(
    pushed: Settings, other_workspace: Settings, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dvc_objects.fs.local as dvc_files

    def full(source: str, target: str, **_others: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)

    with monkeypatch.context() as patch:
        patch.setattr(dvc_files, "copyfile", full)
        with pytest.raises(StorageError, match=r"Could not write .*other home.*: No space left on device"):
            pull("flowers", str(remote), other_workspace)
    assert names(other_workspace) == []
    assert len(pull("flowers", str(remote), other_workspace)) == 1


# -------------------------------------------------------------------------------------------------- damage, and malice


def in_remote(remote: Path, content: bytes) -> Path:
    md5 = hashlib.md5(content).hexdigest()
    return remote / "files" / "md5" / md5[:2] / md5[2:]


def pull_refused(settings: Settings, remote: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        pull("flowers", str(remote), settings)
    assert names(settings) == []
    return caught.value


def test_altered_bytes_in_the_remote_are_not_taken(pushed: Settings, other_workspace: Settings, remote: Path) -> None:
    overwrite(in_remote(remote, b"white"), b"wHite")
    message = pull_refused(other_workspace, remote).message
    assert message == f"{remote} gave altered bytes for roses/2.png of flowers v1."
    assert not object_of(other_workspace, b"white").exists()


def test_bytes_that_the_remote_lacks_are_named(
    pushed: Settings, other_workspace: Settings, remote: Path, flowers: Path
) -> None:
    in_remote(remote, b"white").unlink()
    error = pull_refused(other_workspace, remote)
    assert error.message == f"{remote} does not hold all of flowers v1: roses/2.png is missing."
    assert error.hint == "Push it again from the workspace that made it: forty data push flowers REMOTE"
    assert push("flowers", str(remote), pushed) == ()
    assert len(pull("flowers", str(remote), other_workspace)) == 1


def test_a_damaged_document_in_the_remote_is_refused_and_written_again(
    pushed: Settings, other_workspace: Settings, remote: Path
) -> None:
    document = remote / "fortydays" / "flowers" / "v1.json"
    document.write_bytes(document.read_bytes()[:40])
    error = pull_refused(other_workspace, remote)
    assert error.message.startswith(f"{document} is no document of version 1 of 'flowers': ")
    assert error.hint == "Push it again from the workspace that made it: forty data push flowers REMOTE"
    listener = Meddler()
    assert len(push("flowers", str(remote), pushed, progress=listener)) == 1
    assert listener.said[0].endswith(" It is written again.")
    assert len(pull("flowers", str(remote), other_workspace)) == 1


def test_a_document_that_a_newer_program_made_is_not_overwritten(pushed: Settings, remote: Path) -> None:
    document = remote / "fortydays" / "flowers" / "v1.json"
    document.write_text(json.dumps(json.loads(document.read_text()) | {"schema_version": 2}))
    before = document.read_bytes()
    for command in (push, pull):
        with pytest.raises(DataError) as caught:
            command("flowers", str(remote), pushed)
        assert caught.value.message == (
            f"{document} was made by a newer fortydays: its schema_version is '2', expected 1."
        )
    assert document.read_bytes() == before


@pytest.fixture
def three_pushed(pushed: Settings, flowers: Path, remote: Path) -> Settings:
    for color in (b"pink", b"blue"):
        fill(flowers, {"roses/3.png": color})
        add_version(flowers, "flowers", pushed)
    push("flowers", str(remote), pushed)
    return pushed


@pytest.mark.parametrize("damage", ["document", "no document", "list", "file"])
def test_a_pull_goes_past_a_version_that_is_damaged_or_missing(
    three_pushed: Settings, other_workspace: Settings, remote: Path, damage: str
) -> None:
    document = remote / "fortydays" / "flowers" / "v2.json"
    second = versions("flowers", three_pushed)[1]
    if damage == "document":
        document.write_text("{")
        reason = f"{document} is no document of version 2 of 'flowers': "
    elif damage == "no document":
        document.unlink()
        reason = f"{remote} has no v2 of 'flowers'."
    elif damage == "list":
        (remote / "files" / "md5" / second.md5[:2] / second.md5[2:]).unlink()
        reason = f"{remote} does not hold all of flowers v2: the list of files is missing."
    else:
        in_remote(remote, b"pink").unlink()
        reason = f"{remote} does not hold all of flowers v2: roses/3.png is missing."
    with pytest.raises(DataError) as caught:
        pull("flowers", str(remote), other_workspace)
    assert caught.value.message.startswith(
        f"Not every version of 'flowers' came from {remote}. Came: v1, v3. Did not come: v2. {reason}"
    )
    assert [version.number for version in versions("flowers", other_workspace)] == [1, 3]
    assert verify_versions("flowers", other_workspace).right
    push("flowers", str(remote), three_pushed)
    assert pull("flowers", str(remote), other_workspace) == (second,)


def test_a_version_that_is_here_may_be_missing_in_the_remote(three_pushed: Settings, remote: Path) -> None:
    (remote / "fortydays" / "flowers" / "v2.json").unlink()
    assert pull("flowers", str(remote), three_pushed) == ()


@pytest.mark.parametrize("damage", ["altered", "removed"])
def test_a_pull_sets_a_damaged_document_here_aside(three_pushed: Settings, remote: Path, damage: str) -> None:
    own = versions("flowers", three_pushed)
    place = three_pushed.workspace / "data" / "versions" / "flowers" / "v2"
    if damage == "altered":
        (place / "version.json").write_text("{")
    else:
        (place / "version.json").unlink()
    listener = Meddler()
    assert pull("flowers", str(remote), three_pushed, progress=listener) == (own[1],)
    assert versions("flowers", three_pushed) == own
    (said,) = listener.said
    aside = Path(said.split(" was moved to ")[1].rstrip("."))
    assert said.startswith("Warning: The damaged v2 of flowers was moved to ")
    assert (aside / "content.dvc").exists()


def test_a_damaged_document_here_stays_where_the_remote_is_damaged_too(three_pushed: Settings, remote: Path) -> None:
    place = three_pushed.workspace / "data" / "versions" / "flowers" / "v2" / "version.json"
    place.write_text("{")
    (remote / "fortydays" / "flowers" / "v2.json").write_text("{")
    with pytest.raises(DataError, match=r"Came: v1, v3\. Did not come: v2"):
        pull("flowers", str(remote), three_pushed)
    assert place.read_text() == "{"


def rewrite_list(remote: Path, entries: list[object]) -> None:
    """Give the remote's version 1 another list of files, and a document that agrees with it."""
    text = json.dumps(entries).encode()
    md5 = hashlib.md5(text).hexdigest()
    fill(remote, {f"files/md5/{md5[:2]}/{md5[2:]}.dir": text})
    place = remote / "fortydays" / "flowers" / "v1.json"
    document = json.loads(place.read_text())
    place.write_text(
        json.dumps(document | {"md5": f"{md5}.dir", "files": len(entries), "classes": {"a": len(entries)}})
    )


@pytest.mark.parametrize(
    "path",
    [
        *("../../evil", "/tmp/evil", "a/../../evil", "a//b", "./a", "", "a\0b", "\ud800", 7, None),
        *(".dvcignore", "a/.dvcignore", ".dvcignore/a", "a" * 256, "a/" + "ü" * 128),
    ],
)
def test_a_list_that_leads_out_of_the_folder_is_refused(
    pushed: Settings, other_workspace: Settings, remote: Path, path: object
) -> None:
    rewrite_list(remote, [{"relpath": path, "md5": hashlib.md5(b"red").hexdigest()}])
    message = pull_refused(other_workspace, remote).message
    assert message.startswith(f"The list of files of flowers v1 in {remote} is altered: it names a file ")
    assert cached_objects(other_workspace) == []


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b/c", "a")])
def test_a_list_in_which_a_file_is_a_folder_too_is_refused(
    pushed: Settings, other_workspace: Settings, remote: Path, paths: tuple[str, str]
) -> None:
    rewrite_list(remote, [{"relpath": path, "md5": hashlib.md5(b"red").hexdigest()} for path in paths])
    message = pull_refused(other_workspace, remote).message
    assert message == (
        f"The list of files of flowers v1 in {remote} is altered: it names 'a' as a file and as a folder."
    )
    assert cached_objects(other_workspace) == []


@pytest.mark.parametrize("md5", ["../../../../evil", "x" * 32, "ab", None, 5])
def test_a_list_with_names_of_objects_that_are_none_is_refused(
    pushed: Settings, other_workspace: Settings, remote: Path, md5: object
) -> None:
    rewrite_list(remote, [{"relpath": "a/b", "md5": md5}])
    assert "it has no MD5 for 'a/b'" in pull_refused(other_workspace, remote).message
    assert cached_objects(other_workspace) == []


def test_a_document_about_other_files_is_refused(pushed: Settings, other_workspace: Settings, remote: Path) -> None:
    place = remote / "fortydays" / "flowers" / "v1.json"
    document = json.loads(place.read_text())
    place.write_text(json.dumps(document | {"digest": "0" * 64}))
    message = pull_refused(other_workspace, remote).message
    assert message == f"The document of flowers v1 in {remote} is not about the files there."
    place.write_text(json.dumps(document | {"md5": f"{'0' * 32}.dir"}))
    message = pull_refused(other_workspace, remote).message
    assert message == f"{remote} does not hold all of flowers v1: the list of files is missing."


def test_a_list_that_dvc_is_given_later_brings_nothing_else(
    pushed: Settings, other_workspace: Settings, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fortydays.data import version_remote

    (version,) = versions("flowers", pushed)
    listing = remote / "files" / "md5" / version.md5[:2] / version.md5[2:]
    real = version_remote.parse_listing

    evil = hashlib.md5(b"evil").hexdigest()

    def parse_and_swap(content: bytes, of: object) -> dict[str, str]:
        found = real(content, version)
        overwrite(listing, json.dumps([{"relpath": "a", "md5": evil}]).encode())
        return found

    monkeypatch.setattr(version_remote, "parse_listing", parse_and_swap)
    fill(remote, {f"files/md5/{evil[:2]}/{evil[2:]}": b"evil"})
    message = pull_refused(other_workspace, remote).message
    assert message == f"The list of files of v1 in {remote} has changed meanwhile."
    assert not object_of(other_workspace, b"evil").exists()


def test_what_is_damaged_here_is_not_pushed(own_workspace: Settings, flowers: Path, remote: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    overwrite(object_of(own_workspace, b"white"), b"wHite")
    with pytest.raises(DataError) as caught:
        push("flowers", str(remote), own_workspace)
    assert caught.value.message == "Nothing was pushed: roses/2.png (v1) is altered in the cache."
    assert caught.value.hint == "See all of it with: forty data verify flowers"
    object_of(own_workspace, b"white").unlink()
    object_of(own_workspace, b"red").unlink()
    with pytest.raises(DataError) as caught:
        push("flowers", str(remote), own_workspace)
    assert caught.value.message == ("Nothing was pushed: roses/1.png (v1) is missing from the cache, and 1 more.")
    assert list(content_of(remote)) == ["fortydays/.lock"]


def test_a_pull_mends_what_is_damaged_here(pushed: Settings, remote: Path, tmp_path: Path) -> None:
    overwrite(object_of(pushed, b"white"), b"wHite")
    object_of(pushed, b"red").unlink()
    (version,) = versions("flowers", pushed)
    (pushed.workspace / "data" / ".dvc" / "cache" / "files" / "md5" / version.md5[:2] / version.md5[2:]).unlink()
    assert not verify_versions("flowers", pushed).right
    assert pull("flowers", str(remote), pushed) == ()
    assert verify_versions("flowers", pushed).right
    check_out("flowers", 1, tmp_path / "out", pushed)
    assert content_of(tmp_path / "out") == FLOWERS


# ---------------------------------------------------------------------------------------------- another kind of remote


class _Shelf(http.server.BaseHTTPRequestHandler):
    """Keeps what is sent to it, in memory."""

    files: dict[str, bytes]

    def _answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_GET(self) -> None:
        found = self.files.get(self.path)
        self._answer(404 if found is None else 200, found or b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            content = self.rfile.read(int(self.headers["Content-Length"]))
        self.files[self.path] = content
        self._answer(200)

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, bytes]]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    files: dict[str, bytes] = {}
    handler = type("Shelf", (_Shelf,), {"files": files})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/shelf", files
    server.shutdown()
    server.server_close()
    thread.join()


def test_versions_travel_over_http(
    own_workspace: Settings, other_workspace: Settings, flowers: Path, shelf: tuple[str, dict[str, bytes]]
) -> None:
    address, files = shelf
    add_version(flowers, "flowers", own_workspace)
    with pytest.raises(DataError, match="holds no version of 'flowers'"):
        pull("flowers", address, other_workspace)
    assert len(push("flowers", address, own_workspace)) == 1
    assert "/shelf/fortydays/flowers/v1.json" in files
    assert push("flowers", address, own_workspace) == ()
    assert len(pull("flowers", address, other_workspace)) == 1
    assert verify_versions("flowers", other_workspace).right


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_push_to_an_address_sees_that_another_was_first(
    own_workspace: Settings,
    other_workspace: Settings,
    flowers: Path,
    shelf: tuple[str, dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    from fortydays.data import version_documents, version_remote

    address, kept = shelf
    add_version(flowers, "flowers", own_workspace)
    fill(flowers, {"roses/3.png": b"pink"})
    theirs, _ = add_version(flowers, "flowers", other_workspace)
    text = version_documents.to_bytes(theirs)
    name = "send" if moment == "before" else "_write_document"
    real = getattr(version_remote, name)

    def then_theirs(*arguments: object) -> None:
        real(*arguments)
        kept["/shelf/fortydays/flowers/v1.json"] = text

    monkeypatch.setattr(version_remote, name, then_theirs)
    with pytest.raises(DataError, match="has another v1 of 'flowers'"):
        push("flowers", address, own_workspace)
    assert kept["/shelf/fortydays/flowers/v1.json"] == text


def test_a_pull_from_an_address_goes_past_a_missing_version(
    three_pushed: Settings, other_workspace: Settings, shelf: tuple[str, dict[str, bytes]]
) -> None:
    address, kept = shelf
    push("flowers", address, three_pushed)
    del kept["/shelf/fortydays/flowers/v2.json"]
    with pytest.raises(DataError, match=r"Came: v1, v3\. Did not come: v2"):
        pull("flowers", address, other_workspace)


def test_users_and_passwords_in_addresses_are_not_told(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    refusals = {
        "s3://me:secret@bucket/folder": own_workspace,
        "gopher://me:secret@hole/1": own_workspace,
        "http://me:secret@127.0.0.1:9/shelf": own_workspace,
        "http://me:sec/ret@127.0.0.1:9/shelf": dataclasses.replace(own_workspace, offline=True),
        "http://me:secret@host/\n": own_workspace,
    }
    for address, settings in refusals.items():
        for command in (push, pull):
            with pytest.raises((DataError, UsageError)) as caught:
                command("flowers", address, settings)
            said = caught.value.message + caught.value.hint
            assert address[: address.index("://")] in said
            assert "me:" not in said
            assert "ret@" not in said


def test_a_server_that_does_not_answer_is_told(
    own_workspace: Settings, flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    add_version(flowers, "flowers", own_workspace)
    # Nobody listens on the discard port.
    for command in (push, pull):
        with pytest.raises(DataError) as caught:
            command("flowers", "http://127.0.0.1:9/shelf", own_workspace)
        assert caught.value.message.startswith("Could not read from http://127.0.0.1:9/shelf: ")
        assert "onnect" in caught.value.message
        assert caught.value.hint == "Mend that and run the command again: it does what is still to do."
    assert len(versions("flowers", own_workspace)) == 1

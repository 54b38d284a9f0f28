import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from own_folder import FLOWERS, Meddler, cached_objects, content_of, fill, object_of, overwrite, settings_of

from fortydays.base.errors import DataError, UsageError
from fortydays.base.settings import Settings
from fortydays.data.version_documents import names
from fortydays.data.versions import add_version, check_out, difference, pull, push, verify_versions, versions


def test_the_first_version_says_what_is_in_it(own_workspace: Settings, flowers: Path) -> None:
    version, made = add_version(flowers, "flowers", own_workspace, message="  first light ")
    assert made
    assert (version.name, version.number, version.label, version.message) == ("flowers", 1, "v1", "first light")
    assert (version.files, version.bytes) == (4, 3 + 5 + 6 + 8)
    assert version.classes == {".": 1, "roses": 2, "tulips": 1}
    assert versions("flowers", own_workspace) == [version]
    assert names(own_workspace) == ["flowers"]


def test_the_digests_are_those_that_anyone_can_compute(own_workspace: Settings, flowers: Path) -> None:
    version, _ = add_version(flowers, "flowers", own_workspace)
    pairs = [[path, hashlib.sha256(FLOWERS[path]).hexdigest()] for path in sorted(FLOWERS)]
    assert version.digest == hashlib.sha256(json.dumps(pairs, separators=(",", ":")).encode()).hexdigest()
    # DVC's own name for the folder, as `dvc add` would give it.
    entries = [{"md5": hashlib.md5(FLOWERS[path]).hexdigest(), "relpath": path} for path in sorted(FLOWERS)]
    assert version.md5 == hashlib.md5(json.dumps(entries).encode()).hexdigest() + ".dir"


def test_the_same_content_again_makes_no_version(own_workspace: Settings, flowers: Path) -> None:
    first, _ = add_version(flowers, "flowers", own_workspace)
    os.utime(flowers / "readme.txt", (1, 1))
    assert add_version(flowers, "flowers", own_workspace, message="again") == (first, False)
    assert len(versions("flowers", own_workspace)) == 1


def test_content_that_comes_back_is_a_version_of_its_own(own_workspace: Settings, flowers: Path) -> None:
    first, _ = add_version(flowers, "flowers", own_workspace)
    (flowers / "readme.txt").write_bytes(b"changed")
    add_version(flowers, "flowers", own_workspace)
    (flowers / "readme.txt").write_bytes(FLOWERS["readme.txt"])
    third, made = add_version(flowers, "flowers", own_workspace)
    assert made
    assert (third.number, third.digest) == (3, first.digest)


def test_names_have_versions_of_their_own(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    other, made = add_version(flowers, "other_flowers-2", own_workspace)
    assert (other.number, made) == (1, True)
    assert names(own_workspace) == ["flowers", "other_flowers-2"]


def test_a_difference_names_files_and_counts_classes(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    (flowers / "readme.txt").write_bytes(b"more flowers\n")
    (flowers / "tulips" / "1.png").unlink()
    fill(flowers, {"roses/3.png": b"pink", "lilies/1.png": b"white"})
    add_version(flowers, "flowers", own_workspace)

    found = difference("flowers", 1, 2, own_workspace)
    assert found.added == ("lilies/1.png", "roses/3.png")
    assert found.removed == ("tulips/1.png",)
    assert found.changed == ("readme.txt",)
    assert found.before.classes == {".": 1, "roses": 2, "tulips": 1}
    assert found.after.classes == {".": 1, "lilies": 1, "roses": 3}
    back = difference("flowers", 2, 1, own_workspace)
    assert (back.added, back.removed, back.changed) == (found.removed, found.added, found.changed)
    same = difference("flowers", 2, 2, own_workspace)
    assert (same.added, same.removed, same.changed) == ((), (), ())


def test_a_version_comes_back_byte_for_byte(own_workspace: Settings, tmp_path: Path) -> None:
    odd = {
        "a/every byte": bytes(range(256)) * 5_000,
        "a/empty": b"",
        "a/b/c/deep": b"1",
        "a/copy of deep": b"1",
        ".hidden/.file": b"2",
        ".git/config": b"3",
        "line\nbreak \\ back": b"4",
        "Blüte/花.png": b"5",
        "content.dvc": b"outs: []",
    }
    folder = fill(tmp_path / "odd", odd)
    add_version(folder, "odd", own_workspace)
    shutil.rmtree(folder)
    check_out("odd", 1, tmp_path / "new" / "place", own_workspace)
    assert content_of(tmp_path / "new" / "place") == odd
    (tmp_path / "empty").mkdir()
    check_out("odd", None, tmp_path / "empty", own_workspace)
    assert content_of(tmp_path / "empty") == odd


def test_what_is_checked_out_can_be_changed_without_changing_what_is_kept(
    own_workspace: Settings, flowers: Path, tmp_path: Path
) -> None:
    add_version(flowers, "flowers", own_workspace)
    check_out("flowers", 1, tmp_path / "out", own_workspace)
    file = tmp_path / "out" / "roses" / "1.png"
    assert not file.is_symlink()
    assert (file.stat().st_nlink, file.stat().st_mode & 0o600) == (1, 0o600)
    assert (flowers / "roses" / "1.png").stat().st_nlink == 1
    file.write_bytes(b"eaten")
    (flowers / "roses" / "2.png").write_bytes(b"eaten")
    assert verify_versions("flowers", own_workspace).right


@pytest.mark.parametrize("folder", ["out", "."])
def test_an_empty_folder_is_filled_and_stays_the_one_it_is(
    own_workspace: Settings, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    add_version(flowers, "flowers", own_workspace)
    (tmp_path / "out").mkdir(mode=0o750)
    before = (tmp_path / "out").stat()
    monkeypatch.chdir(tmp_path / "out" if folder == "." else tmp_path)
    check_out("flowers", 1, Path(folder), own_workspace)
    after = (tmp_path / "out").stat()
    assert content_of(Path(folder)) == FLOWERS
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert [path.name for path in tmp_path.rglob("*.part")] == []


@pytest.mark.parametrize(("mask", "folders", "documents"), [(0o077, 0o700, 0o600), (0o002, 0o775, 0o664)])
def test_what_is_checked_out_has_the_modes_of_new_files(
    own_workspace: Settings, flowers: Path, tmp_path: Path, mask: int, folders: int, documents: int
) -> None:
    add_version(flowers, "flowers", own_workspace)
    old = os.umask(mask)
    try:
        check_out("flowers", 1, tmp_path / "out", own_workspace)
    finally:
        os.umask(old)
    for path, mode in {"": folders, "roses": folders, "roses/1.png": documents, "readme.txt": documents}.items():
        assert (tmp_path / "out" / path).stat().st_mode & 0o777 == mode, path


def test_only_its_owner_can_enter_what_is_kept(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    assert (own_workspace.workspace / "data").stat().st_mode & 0o777 == 0o700
    (own_workspace.workspace / "data").chmod(0o750)  # a reader may decide otherwise
    fill(flowers, {"roses/3.png": b"pink"})
    add_version(flowers, "flowers", own_workspace)
    assert (own_workspace.workspace / "data").stat().st_mode & 0o777 == 0o750


def test_without_a_number_the_newest_is_checked_out(own_workspace: Settings, flowers: Path, tmp_path: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    fill(flowers, {"roses/3.png": b"pink"})
    add_version(flowers, "flowers", own_workspace)
    assert check_out("flowers", None, tmp_path / "out", own_workspace).number == 2
    assert (tmp_path / "out" / "roses" / "3.png").read_bytes() == b"pink"
    assert check_out("flowers", 1, tmp_path / "old", own_workspace).number == 1
    assert content_of(tmp_path / "old") == FLOWERS


def test_files_that_versions_share_are_kept_once(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    before = len(cached_objects(own_workspace))
    fill(flowers, {"roses/3.png": b"red"})
    add_version(flowers, "flowers", own_workspace)
    assert before == len(FLOWERS) + 1  # and the list
    assert len(cached_objects(own_workspace)) == before + 1  # another list


def test_the_command_of_dvc_itself_can_bring_a_version_back(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    place = own_workspace.workspace / "data" / "versions" / "flowers" / "v1"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "checkout", "--quiet", "content.dvc"],
        cwd=place,
        env={**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(own_workspace.workspace / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert content_of(place / "content") == FLOWERS


def test_nothing_is_linked_and_nothing_is_reported_to_anyone(own_workspace: Settings, flowers: Path) -> None:
    from fortydays.data.version_content import opened

    add_version(flowers, "flowers", own_workspace)
    with opened(own_workspace) as content:
        assert content.cache.cache_types == ["reflink", "copy"]
        core = content.repo.config["core"]
        assert (core["no_scm"], core["analytics"], core["check_update"]) == (True, False, False)
        assert Path(content.repo.site_cache_dir).is_relative_to(own_workspace.workspace)


def test_dvc_says_nothing(
    own_workspace: Settings, flowers: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stream = sys.stdout
    add_version(flowers, "flowers", own_workspace)
    check_out("flowers", 1, tmp_path / "out", own_workspace)
    assert sys.stdout is stream
    assert tuple(capfd.readouterr()) == ("", "")


def test_importing_and_listing_load_no_dvc(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    code = (
        "import sys; from pathlib import Path; import fortydays.cli.data; from fortydays.data import versions;"
        "from fortydays.base.settings import read_settings;"
        "print([v.label for v in versions.versions('flowers', read_settings())], 'dvc' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "FORTYDAYS_HOME": str(own_workspace.workspace)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['v1'] False\n"


# --------------------------------------------------------------------------------------------- what is kept is damaged


def test_verifying_changes_nothing_and_finds_nothing_wrong(own_workspace: Settings, flowers: Path) -> None:
    add_version(flowers, "flowers", own_workspace)
    before = [(path, path.stat().st_mtime_ns) for path in cached_objects(own_workspace)]
    found = verify_versions("flowers", own_workspace)
    assert (found.name, found.problems, found.right) == ("flowers", (), True)
    assert [(path, path.stat().st_mtime_ns) for path in cached_objects(own_workspace)] == before


@pytest.fixture
def two_versions(own_workspace: Settings, flowers: Path) -> Settings:
    """Version 1 is FLOWERS, version 2 has another readme."""
    add_version(flowers, "flowers", own_workspace)
    (flowers / "readme.txt").write_bytes(b"second")
    add_version(flowers, "flowers", own_workspace)
    return own_workspace


def test_verify_names_an_altered_file_and_the_versions_it_is_in(two_versions: Settings) -> None:
    overwrite(object_of(two_versions, b"white"), b"wHite")
    altered, right = (hashlib.md5(text).hexdigest() for text in (b"wHite", b"white"))
    assert verify_versions("flowers", two_versions).problems == (
        f"roses/2.png (v1, v2) is altered in the cache: it has MD5 {altered}, expected {right}",
    )


def test_verify_names_a_missing_file_and_the_version_it_is_in(two_versions: Settings) -> None:
    object_of(two_versions, b"second").unlink()
    assert verify_versions("flowers", two_versions).problems == ("readme.txt (v2) is missing from the cache",)


def test_verify_finds_a_changed_document_and_a_changed_list(two_versions: Settings) -> None:
    first, second = versions("flowers", two_versions)
    place = two_versions.workspace / "data" / "versions" / "flowers" / "v1" / "version.json"
    document = json.loads(place.read_text())
    place.write_text(json.dumps(document | {"bytes": 1}))
    md5 = two_versions.workspace / "data" / ".dvc" / "cache" / "files" / "md5" / second.md5[:2] / second.md5[2:]
    overwrite(md5, md5.read_bytes().replace(b"roses", b"Roses"))
    problems = verify_versions("flowers", two_versions).problems
    assert problems[0] == "the document of v1 is altered: its counts are not those of its files"
    assert problems[1].startswith("The list of files of flowers v2 in the cache is altered: it has MD5 ")
    place.write_text(json.dumps(document | {"digest": "0" * 64}))
    assert verify_versions("flowers", two_versions).problems[0] == (
        f"v1 has digest {first.digest}, expected {'0' * 64}"
    )


@pytest.mark.parametrize("damage", ["alter", "remove"])
def test_a_damaged_version_is_not_checked_out(two_versions: Settings, tmp_path: Path, damage: str) -> None:
    path = object_of(two_versions, b"second")
    if damage == "alter":
        overwrite(path, b"sEcond")
    else:
        path.unlink()
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError) as caught:
        check_out("flowers", 2, tmp_path / "out", two_versions)
    state = "is altered in the cache" if damage == "alter" else "is missing from the cache"
    assert caught.value.message.startswith(f"flowers v2 cannot be checked out: readme.txt (v2) {state}")
    assert caught.value.hint.startswith("Where it was pushed, get it back with: forty data pull flowers REMOTE")
    assert list((tmp_path / "out").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
    assert check_out("flowers", 1, tmp_path / "out", two_versions).number == 1  # the other one is whole


def test_adding_the_same_files_again_mends_what_is_kept(two_versions: Settings, flowers: Path) -> None:
    overwrite(object_of(two_versions, b"white"), b"wHite")
    object_of(two_versions, b"red").unlink()
    listener = Meddler()
    newest = versions("flowers", two_versions)[-1]
    assert add_version(flowers, "flowers", two_versions, progress=listener) == (newest, False)
    assert verify_versions("flowers", two_versions).right
    (said,) = listener.said
    assert said.startswith("Warning: An altered file of the cache was moved to ")
    assert Path(said.split(" moved to ")[1].rstrip(".")).read_bytes() == b"wHite"


@pytest.mark.parametrize("damage", ["alter", "remove"])
def test_adding_the_same_files_again_mends_the_list_of_files(
    two_versions: Settings, flowers: Path, damage: str
) -> None:
    newest = versions("flowers", two_versions)[-1]
    path = two_versions.workspace / "data" / ".dvc" / "cache" / "files" / "md5" / newest.md5[:2] / newest.md5[2:]
    if damage == "alter":
        overwrite(path, b"[]")
    else:
        path.unlink()
    assert not verify_versions("flowers", two_versions).right
    assert add_version(flowers, "flowers", two_versions) == (newest, False)
    assert verify_versions("flowers", two_versions).right


def test_adding_other_files_mends_those_that_are_in_an_earlier_version(two_versions: Settings, flowers: Path) -> None:
    object_of(two_versions, b"red").unlink()
    fill(flowers, {"roses/3.png": b"pink"})
    assert add_version(flowers, "flowers", two_versions)[0].number == 3
    assert verify_versions("flowers", two_versions).right


def test_a_damaged_document_is_told_with_the_way_out(two_versions: Settings, flowers: Path) -> None:
    place = two_versions.workspace / "data" / "versions" / "flowers" / "v1"
    (place / "version.json").write_text("{")
    with pytest.raises(DataError) as caught:
        versions("flowers", two_versions)
    assert caught.value.message.startswith(f"{place / 'version.json'} is no document of version 1 of 'flowers': ")
    assert caught.value.hint == (
        "Where it was pushed, get it back with: forty data pull flowers REMOTE (which sets this one aside)"
    )
    (place / "version.json").unlink()
    with pytest.raises(DataError, match=r"Could not read .*version\.json"):
        versions("flowers", two_versions)
    assert verify_versions("flowers", two_versions).problems[0].startswith("Could not read ")
    shutil.rmtree(place)
    assert [version.number for version in versions("flowers", two_versions)] == [2]


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": None},
        {"name": "roses"},
        {"number": 2},
        {"number": True},
        {"files": -1},
        {"files": 5},
        {"classes": {"a": "4"}},
        {"md5": "../../x.dir"},
        {"digest": ""},
        {"created": "yesterday"},
        {"message": "x\x1b[2J"},
        {"message": 5},
    ],
)
def test_a_document_with_a_wrong_field_is_refused(two_versions: Settings, change: dict[str, object]) -> None:
    place = two_versions.workspace / "data" / "versions" / "flowers" / "v1" / "version.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | change))
    with pytest.raises(DataError, match="is no document of version 1 of 'flowers': its "):
        versions("flowers", two_versions)


def test_a_document_that_a_newer_program_made_is_told(two_versions: Settings) -> None:
    place = two_versions.workspace / "data" / "versions" / "flowers" / "v1" / "version.json"
    place.write_text(json.dumps({"schema_version": 2, "name": "flowers"}))
    with pytest.raises(DataError) as caught:
        versions("flowers", two_versions)
    assert caught.value.message == f"{place} was made by a newer fortydays: its schema_version is '2', expected 1."
    assert caught.value.hint == "Update fortydays. The document was left as it is."


def test_verify_goes_on_after_an_object_that_cannot_be_read(two_versions: Settings) -> None:
    unreadable = object_of(two_versions, b"white")
    unreadable.unlink()
    unreadable.mkdir()
    object_of(two_versions, b"second").unlink()
    assert verify_versions("flowers", two_versions).problems == (
        "readme.txt (v2) is missing from the cache",
        f"roses/2.png (v1, v2) cannot be read: Could not read {unreadable}: Is a directory",
    )


def test_verify_goes_on_after_a_list_that_cannot_be_read(two_versions: Settings) -> None:
    first, _ = versions("flowers", two_versions)
    unreadable = two_versions.workspace / "data" / ".dvc" / "cache" / "files" / "md5" / first.md5[:2] / first.md5[2:]
    unreadable.unlink()
    unreadable.mkdir()
    object_of(two_versions, b"second").unlink()
    assert verify_versions("flowers", two_versions).problems == (
        f"Could not read {unreadable}: Is a directory",
        "readme.txt (v2) is missing from the cache",
    )


def test_a_name_that_was_used_before_there_was_such_a_dataset_stays_usable(
    two_versions: Settings, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fortydays.data import catalog

    monkeypatch.setattr(catalog, "DATASETS", {**catalog.DATASETS, "flowers": catalog.DATASETS["mnist"]})
    fill(flowers, {"roses/3.png": b"pink"})
    assert add_version(flowers, "flowers", two_versions)[0].number == 3
    assert len(versions("flowers", two_versions)) == 3
    assert len(push("flowers", str(tmp_path / "remote"), two_versions)) == 3
    assert pull("flowers", str(tmp_path / "remote"), two_versions) == ()
    assert verify_versions("flowers", two_versions).right
    with pytest.raises(UsageError, match="'flowers' is a dataset that fortydays brings along"):
        add_version(flowers, "flowers", settings_of(tmp_path / "another home"))


def test_an_unknown_name_or_version_is_told(two_versions: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        versions("flower", two_versions)
    assert caught.value.message == "There is no data of your own 'flower'. Did you mean 'flowers'?"
    assert caught.value.hint == "Make its first version with: forty data add FOLDER --name flower"
    with pytest.raises(UsageError) as caught:
        check_out("flowers", 3, tmp_path / "out", two_versions)
    assert caught.value.message == "'flowers' has no version v3."
    assert caught.value.hint == "It has v1, v2."
    with pytest.raises(UsageError, match="'flowers' has no version v7"):
        difference("flowers", 1, 7, two_versions)
    assert not (tmp_path / "out").exists()

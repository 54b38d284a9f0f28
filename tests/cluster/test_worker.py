"""What a worker tells without waiting, and the files that it is sent."""

import dataclasses
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fortydays.base.errors import DataError, StudyChangedError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.cluster import shipping, worker
from fortydays.cluster.executor import study_of
from fortydays.cluster.shipping import cached_files, receive_dataset, study_files
from fortydays.cluster.worker import Mailbox, StudyFiles
from fortydays.data import catalog, library, store
from fortydays.study.trial import TrialSpec


def test_a_mailbox_gives_everything_once_in_its_order() -> None:
    mailbox = Mailbox()
    mailbox.put("started", 80)
    mailbox.put("say", "first")
    mailbox.put("say", "second")
    assert mailbox.take() == [("started", 80), ("say", "first"), ("say", "second")]
    assert mailbox.take() == []


def test_of_states_and_reports_only_the_newest_waits() -> None:
    mailbox = Mailbox()
    for step in range(1000):
        mailbox.put("report", step, 1000, 0.5, 0.9)
        mailbox.put("keep", f"state {step}")
    mailbox.put("warn", "hot")
    assert mailbox.take() == [("report", 999, 1000, 0.5, 0.9), ("keep", "state 999"), ("warn", "hot")]


def test_messages_that_nobody_asks_for_do_not_fill_the_memory() -> None:
    mailbox = Mailbox()
    for number in range(1000):
        mailbox.put("say", str(number))
    assert len(mailbox.take()) == 100


def test_who_waits_for_news_gets_the_first_at_once() -> None:
    mailbox = Mailbox()
    threading.Timer(0.05, mailbox.put, ("say", "now")).start()
    assert mailbox.take(60.0) == [("say", "now")]


# ------------------------------------------------------------------------------------------------------------- studies


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    folder = tmp_path / "my studies"
    (folder / "parts").mkdir(parents=True)
    (folder / "mine.py").write_text("import near\nfrom parts import deep\nimport math\n")
    (folder / "near.py").write_text("A = 1\n")
    (folder / "parts" / "deep.py").write_text("B = 2\n")
    (folder / "secret.py").write_text("C = 3\n")
    return folder


def test_a_study_travels_with_the_modules_that_it_imports_and_nothing_else(reader: Path, tmp_path: Path) -> None:
    found = study_files(reader / "mine.py")
    assert sorted(found.content) == ["mine.py", "near.py", "parts/deep.py"]
    there = found.written(tmp_path / "node")
    assert there.parts[-2:] == ("my studies", "mine.py")
    assert there.read_bytes() == (reader / "mine.py").read_bytes()
    assert (there.parent / "parts" / "deep.py").read_text() == "B = 2\n"


def test_the_same_study_is_written_once_and_another_beside_it(reader: Path, tmp_path: Path) -> None:
    first = study_files(reader / "mine.py").written(tmp_path / "node")
    before = first.stat().st_ino
    assert study_files(reader / "mine.py").written(tmp_path / "node") == first
    assert first.stat().st_ino == before
    (reader / "near.py").write_text("A = 4\n")
    other = study_files(reader / "mine.py").written(tmp_path / "node")
    assert other != first
    assert (first.parent / "near.py").read_text() == "A = 1\n"
    assert (other.parent / "near.py").read_text() == "A = 4\n"


def test_the_name_of_the_folder_is_part_of_what_a_study_is() -> None:
    content = {"study.py": b"study = 1\n"}
    one, two = (StudyFiles(folder=folder, study="study.py", content=content) for folder in ("rates", "widths"))
    assert one.digest != two.digest


def test_a_study_that_carries_data_is_refused(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "MOST_STUDY_BYTES", 20)
    with pytest.raises(UsageError, match="have 59 bytes; expected at most 20 bytes to send to a cluster"):
        study_files(reader / "mine.py")


def spec_of(path: Path, sha256: str) -> TrialSpec:
    return TrialSpec(
        path=str(path), sha256=sha256, variant="a", seed=0, recipe=None, dataset="", dataset_digest="",
        backend="tensorflow", threads=1, bfloat16_is_fast=False,
    )  # fmt: skip


def test_a_study_that_has_changed_since_is_not_sent(reader: Path) -> None:
    with pytest.raises(StudyChangedError, match="has changed since its trials were asked for, so it is not run"):
        study_of(spec_of(reader / "mine.py", "0" * 64))


def test_a_try_has_as_few_examples_on_a_node_as_here(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    monkeypatch.setattr("fortydays.days.loading.load_study_of", lambda spec: SimpleNamespace(study=None))
    monkeypatch.setattr(worker, "InProcess", lambda **fields: found.append(fields["dataset"].training.train))
    digits = library.load("digits", here)
    spec = dataclasses.replace(spec_of(Path("mine.py"), "0" * 64), dataset="digits", dataset_digest=digits.digest)
    made = worker.TrialWorker(settings=here)
    made._made(dataclasses.replace(spec, examples=40), None)
    made._made(spec, None)
    assert [len(train) for train in found] == [40, len(digits.training.train)]


# ---------------------------------------------------------------------------------------------------------------- data


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "here"), "FORTYDAYS_OFFLINE": "1"})


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a node reads for itself."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "there"))
    monkeypatch.setenv("FORTYDAYS_OFFLINE", "1")
    return read_settings()


def test_a_dataset_is_sent_as_the_files_of_the_cache_and_checked_there(here: Settings, there: Settings) -> None:
    spec = catalog.DATASETS["digits"]
    assert library.load("digits", here).digest == spec.digest
    place, content = cached_files("digits", here)
    assert sorted(content) == ["test_images.npy", "test_labels.npy", "training_images.npy", "training_labels.npy"]
    assert not store.cached(spec, there)
    assert receive_dataset("digits", place, list(content), *content.values()) == ""
    assert store.verify(spec, there).right
    assert receive_dataset("digits", place, list(content), *content.values()) == ""


def test_a_node_keeps_a_dataset_at_its_own_place_only(here: Settings, there: Settings) -> None:
    assert receive_dataset("digits", "../digits", ["a"], b"") == "it would lie at another place there"
    library.load("digits", here)
    place, _ = cached_files("digits", here)
    assert receive_dataset("digits", place, ["../a"], b"") == "../a is no path in its folder"
    assert not list(there.datasets.rglob("*.npy"))


def test_data_that_are_not_sent_are_said_with_what_to_do(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="The dataset 'mnist' is not on every node") as raised:
        cached_files("mnist", here)
    assert "forty data get" in raised.value.hint
    with pytest.raises(DataError, match="own:flowers@0123456789abcdef of your own are not on every node") as raised:
        cached_files("own:flowers@0123456789abcdef", here)
    assert "--on local:N" in raised.value.hint
    library.load("digits", here)
    monkeypatch.setattr(shipping, "MOST_DATA_BYTES", 1000)
    with pytest.raises(DataError, match="more than the 1,000 bytes that are sent to nodes without it"):
        cached_files("digits", here)

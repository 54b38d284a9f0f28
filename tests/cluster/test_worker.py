"""What a worker tells without waiting, and the files that it is sent."""

import contextlib
import dataclasses
import gc
import json
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from played import UTIL

sys.path.insert(0, str(Path(__file__).parents[1]))
from fortydays.base import files
from fortydays.base.errors import DataError, StorageError, StudyChangedError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.cluster import shipping, worker
from fortydays.cluster.executor import study_of
from fortydays.cluster.nodes import Facts, Node, has_dataset
from fortydays.cluster.shipping import Receiver, cached_files, parcel_of, send_dataset, study_files
from fortydays.cluster.worker import Mailbox, StudyFiles
from fortydays.data import catalog, library, photographs, store
from fortydays.data.own import dataset as own
from fortydays.data.own.texts.columns import Wanted
from fortydays.data.own.texts.kept import opened
from fortydays.data.own.texts.listing import list_texts
from fortydays.data.own.texts.looking import inspect_texts
from fortydays.study.trial import TrialSpec
from made_up_texts import reviews, write_table


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


class PlayedLink:
    """Plays a link to a cluster whose nodes are in this process; ``late`` are those that do not answer."""

    util = UTIL

    def __init__(self, late: tuple[str, ...] = ()) -> None:
        self.ray = self
        self.late = late
        self.largest = 0
        self.killed: list[str] = []

    def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    def put(self, content: bytes) -> bytes:
        self.largest = max(self.largest, len(content))
        return content

    def remote(self, kind: type) -> Any:
        def options(*, scheduling_strategy: tuple[str, bool], **_: Any) -> Any:
            def start(*given: Any) -> Any:
                receiver = kind(*given)

                def method(name: str) -> Any:
                    def remote(*arguments: Any) -> Any:
                        answer = lambda: getattr(receiver, name)(*arguments)  # noqa: E731
                        answer.node = scheduling_strategy[0]  # type: ignore[attr-defined]
                        return answer

                    return SimpleNamespace(remote=remote)

                return SimpleNamespace(
                    node=scheduling_strategy[0],
                    **{name: method(name) for name in ("begin", "write", "finish", "abandon")},
                )

            return SimpleNamespace(remote=start)

        return SimpleNamespace(options=options)

    def wait(self, waiting: list[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        assert num_returns == len(waiting)
        return [each for each in waiting if each.node not in self.late], []

    def get(self, answer: Any, timeout: float = 0.0) -> Any:
        return answer()

    def kill(self, receiver: Any) -> None:
        self.killed.append(receiver.node)


def node(number: int, *, has_data: bool = False) -> Node:
    facts = Facts(python="3", packages={}, code="", processor="", has_data=has_data)
    return Node(id=f"n{number}", number=number, address=f"10.0.0.{number}", cpus=1, facts=facts)


class Shown:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, float]] = []
        self.done: list[float] = []

    def start(self, task: str, *, total: float, unit: str) -> None:
        assert unit == "bytes"
        self.tasks.append((task, total))

    def advance(self, _: str, *, done: float) -> None:
        self.done.append(done)

    def finish(self, _: str) -> None:
        self.tasks.append(("over", 0))


def test_a_dataset_is_sent_piece_by_piece_and_is_right_there(
    here: Settings, there: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = catalog.DATASETS["digits"]
    assert library.load("digits", here).digest == spec.digest
    _, found = cached_files("digits", here)
    assert sorted(found) == ["test_images.npy", "test_labels.npy", "training_images.npy", "training_labels.npy"]
    monkeypatch.setattr(shipping, "_PIECE_BYTES", 10_000)
    link, shown = PlayedLink(), Shown()
    assert not store.cached(spec, there)
    send_dataset(link, "digits", [node(1, has_data=True), node(2)], here, shown)  # type: ignore[arg-type]
    assert store.verify(spec, there).right
    size = sum(path.stat().st_size for path in found.values())
    assert shown.tasks == [("Sending digits to 1 node", size), ("over", 0)]
    assert (shown.done[-1], link.largest, link.killed) == (size, 10_000, ["n2"])

    # Another command was faster: nothing is sent.
    again = PlayedLink()
    send_dataset(again, "digits", [node(2)], here, Shown())  # type: ignore[arg-type]
    assert (again.largest, again.killed) == (0, ["n2"])


def test_a_node_that_does_not_answer_is_named_and_nothing_is_in_its_cache(here: Settings, there: Settings) -> None:
    library.load("digits", here)
    link = PlayedLink(late=("n3",))
    with pytest.raises(DataError) as raised:
        send_dataset(link, "digits", [node(2), node(3)], here, Shown())  # type: ignore[arg-type]
    assert raised.value.message == (
        "The dataset 'digits' could not be sent to node 3 (10.0.0.3): it has not answered within 120 seconds."
    )
    assert sorted(link.killed) == ["n2", "n3"]
    assert not list(there.datasets.rglob("*.npy"))


def test_a_node_keeps_a_dataset_at_its_own_place_only(here: Settings, there: Settings) -> None:
    refused = Receiver("digits", "../digits").begin()
    assert getattr(refused, "message", "") == "it would lie at another place there"
    library.load("digits", here)
    place, _ = cached_files("digits", here)
    receiver = Receiver("digits", place)
    assert receiver.begin() == "wanted"
    assert getattr(receiver.write("../a", 0, b""), "message", "") == "../a is no path in its folder"
    assert not list(there.datasets.rglob("a"))


def test_one_that_ends_in_the_middle_leaves_nothing_that_counts_as_the_dataset(
    here: Settings, there: Settings
) -> None:
    library.load("digits", here)
    place, found = cached_files("digits", here)
    spec = catalog.DATASETS["digits"]
    receiver = Receiver("digits", place)
    assert receiver.begin() == "wanted"
    assert receiver.write("test_labels.npy", 0, found["test_labels.npy"].read_bytes()) is True
    del receiver
    gc.collect()
    assert not store.cached(spec, there)
    assert not list(there.datasets.rglob("*.npy"))
    assert Receiver("digits", place).begin() == "wanted"


@pytest.fixture
def mine(here: Settings, tmp_path: Path) -> str:
    """The name of 60 texts of a reader's own, in the workspace here."""
    table = write_table(tmp_path / "reviews.csv", reviews({"good": 30, "bad": 30}))
    with opened("reviews", here) as collection:
        return own.keep(inspect_texts(list_texts(table, Wanted()), collection), collection, name="reviews").name


def test_data_of_ones_own_are_sent_as_a_copy_that_a_worker_finds(
    here: Settings, there: Settings, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = library.load(mine, here).digest
    assert not has_dataset(mine, there)
    link, shown = PlayedLink(), Shown()
    send_dataset(link, mine, [node(1, has_data=True), node(2)], here, shown)  # type: ignore[arg-type]
    assert shown.tasks[0][0] == f"Sending {mine} to 1 node"
    assert has_dataset(mine, there)
    assert not (there.workspace / "own").exists()  # a node's own collections are as they were
    assert [path.name for path in (there.workspace / "cache" / "own").iterdir() if path.is_dir()] == [mine[4:]]
    assert not list((here.workspace / "cache" / "own").glob("*/*"))  # the copy that was sent

    found: list[Any] = []
    monkeypatch.setattr("fortydays.days.loading.load_study_of", lambda spec: SimpleNamespace(study=None))
    monkeypatch.setattr(worker, "InProcess", lambda **fields: found.append(fields["dataset"]))
    spec = dataclasses.replace(spec_of(Path("mine.py"), "0" * 64), dataset=mine, dataset_digest=digest)
    worker.TrialWorker(settings=None)._made(spec, None)
    assert [(each.name, each.digest) for each in found] == [(mine, digest)]

    # Another command was faster: nothing is sent.
    again = PlayedLink()
    send_dataset(again, mine, [node(2)], here, Shown())  # type: ignore[arg-type]
    assert (again.largest, again.killed) == (0, ["n2"])


def test_public_photographs_are_whole_on_the_node(
    here: Settings, there: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets = dataclasses.replace(photographs.PHOTOGRAPHS["tf_flowers"], name="pets")
    monkeypatch.setattr(photographs, "PHOTOGRAPHS", {"pets": pets})
    place = photographs.folder(pets, here)
    for name in ("cat/1.png", "dog/1.png"):
        (place / name).parent.mkdir(parents=True)
        (place / name).write_bytes(name.encode())
    content = photographs._content_of(place)
    photographs.write_note(pets, here, json.dumps({"schema_version": 1, "content": content}).encode())
    send_dataset(PlayedLink(), "pets", [node(2)], here, Shown())  # type: ignore[arg-type]
    assert photographs.cached(pets, there)
    assert photographs.verify(pets, there).right


def test_a_copy_that_has_lost_something_is_sent_again(here: Settings, there: Settings, mine: str) -> None:
    send_dataset(PlayedLink(), mine, [node(2)], here, Shown())  # type: ignore[arg-type]
    (lost,) = there.workspace.rglob("texts.1.utf8")
    lost.write_bytes(b"")
    assert not has_dataset(mine, there)
    send_dataset(PlayedLink(), mine, [node(2)], here, Shown())  # type: ignore[arg-type]
    assert has_dataset(mine, there)


def test_a_copy_has_its_own_place_only(mine: str, there: Settings) -> None:
    refused = [Receiver(mine, "../reviews").begin(), Receiver("own:../a@0123456789ab", "a").begin()]
    assert "it would lie at another place there" in str(refused[0])
    assert "names no data of your own" in str(refused[1])
    assert not there.workspace.exists()


def test_data_of_ones_own_that_are_too_many_are_not_copied(
    here: Settings, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "MOST_DATA_BYTES", 100)
    with pytest.raises(DataError, match="more than the 100 bytes") as raised, parcel_of(mine, here):
        pass
    assert raised.value.hint == "Use --on local:N, which sends nothing."


def test_nodes_that_share_a_folder_are_given_a_dataset_once(
    here: Settings, there: Settings, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = PlayedLink()
    monkeypatch.setattr(shipping, "_SECONDS_BETWEEN_LOOKS", 0.0)
    send_dataset(link, mine, [node(1), node(2), node(3)], here, Shown())  # type: ignore[arg-type]
    assert has_dataset(mine, there)
    # Two were busy at first, and found it there when they were asked again.
    assert sorted(link.killed) == ["n1", "n2", "n2", "n3", "n3"]


def test_who_waits_too_long_for_another_command_is_told(
    here: Settings, there: Settings, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "_SECONDS_FOR_ANOTHER", -1.0)
    lock = there.workspace / "cache" / "own" / "lock"
    with files.locked(lock), pytest.raises(DataError, match="Another command has been writing it there") as raised:
        send_dataset(PlayedLink(), mine, [node(2)], here, Shown())  # type: ignore[arg-type]
    assert raised.value.hint.startswith("Wait until that has ended")


def test_a_node_without_room_says_so_before_anything_is_sent(
    here: Settings, there: Settings, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda _: 10)
    with pytest.raises(DataError, match=r"sent to node 2 \(10.0.0.2\): it needs .*, and there is room for 10 bytes"):
        send_dataset(PlayedLink(), mine, [node(2)], here, Shown())  # type: ignore[arg-type]
    assert not has_dataset(mine, there)


def test_what_has_come_is_removed_where_it_goes_no_further(
    here: Settings, there: Settings, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise StorageError("The disk is full.", hint="Make room.")

    monkeypatch.setattr(files, "append_bytes", fails)
    monkeypatch.setattr(shipping, "parcel_of", lambda *_: contextlib.nullcontext(parcel))
    (there.workspace.parent / "file").write_bytes(b"123")
    parcel = shipping.Parcel(name=mine, place=mine[4:], content={"a": there.workspace.parent / "file"})
    with pytest.raises(DataError, match="The disk is full") as raised:
        send_dataset(PlayedLink(), mine, [node(2)], here, Shown())  # type: ignore[arg-type]
    assert raised.value.hint == "Make room."
    assert [path.name for path in (there.workspace / "cache" / "own").iterdir()] == ["lock"]


def test_an_empty_file_is_sent_too(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "full").write_bytes(b"123")
    assert list(shipping._pieces(tmp_path / "empty")) == [(0, b"")]
    assert list(shipping._pieces(tmp_path / "full")) == [(0, b"123")]


def test_data_that_are_not_sent_are_said_with_what_to_do(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="The dataset 'mnist' is not on every node") as raised:
        cached_files("mnist", here)
    assert "forty data get" in raised.value.hint
    with (
        pytest.raises(DataError, match="own:flowers@0123456789ab are not in the workspace"),
        parcel_of("own:flowers@0123456789ab", here),
    ):
        pass
    library.load("digits", here)
    monkeypatch.setattr(shipping, "MOST_DATA_BYTES", 1000)
    with pytest.raises(DataError, match="more than the 1,000 bytes that are sent to nodes without it"):
        cached_files("digits", here)

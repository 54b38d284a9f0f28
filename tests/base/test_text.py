import pytest

from fortydays.base.text import counted, printable, shown, size_in_words, without_credentials


def test_what_a_terminal_would_act_on_becomes_a_question_mark() -> None:
    assert printable("a\nb\x1b[2Jc\0\udcff") == "a?b?[2Jc??"
    assert printable("Blüte 花") == "Blüte 花"


def test_a_text_from_outside_is_quoted_in_one_line() -> None:
    assert shown("it's\n") == '"it\'s?"'
    assert shown("a" * 60) == f"'{'a' * 60}'"
    assert shown("a" * 10_000) == f"'{'a' * 57}...'"


def test_one_thing_has_no_s() -> None:
    assert [counted(n, "epoch") for n in (0, 1, 2, 1200)] == ["0 epochs", "1 epoch", "2 epochs", "1,200 epochs"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://me:secret@bucket/folder", "s3://bucket/folder"),
        ("ssh://me@host:22/folder", "ssh://host:22/folder"),
        ("https://token@host/a@b", "https://host/a@b"),
        ("http://host:8080/a@b", "http://host:8080/a@b"),
        ("http://me:with/slash@host/a", "http://host/a"),
        ("http://me:with@sign@host/a", "http://host/a"),
        ("Cannot reach http://me:secret@host/a, nor http://you:hidden@host/b", None),
        ("/mnt/me:secret@backup", "/mnt/me:secret@backup"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
    ],
)
def test_users_and_passwords_are_left_out_of_addresses(text: str, expected: str | None) -> None:
    assert without_credentials(text) == (expected or "Cannot reach http://host/a, nor http://host/b")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"), (1, "1 byte"), (9_999, "9,999 bytes"), (78_000, "78 kB"), (950_000, "950 kB"),
        (11_490_434, "11 MB"), (950_000_000, "950 MB"), (2_400_000_000, "2.4 GB"),
    ],
)  # fmt: skip
def test_sizes_are_told_in_a_unit_in_which_they_are_no_zero(count: int, words: str) -> None:
    assert size_in_words(count) == words


def test_one_of_a_thing_has_no_s() -> None:
    assert (counted(1, "trial"), counted(0, "trial"), counted(2000, "trial")) == (
        "1 trial",
        "0 trials",
        "2,000 trials",
    )

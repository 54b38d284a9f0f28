import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortydays.base.errors import UsageError
from fortydays.registry.names import Reference, check_name, parse_reference, parse_version

HOSTILE = [
    "", ".", "..", "../mnist", "/etc/passwd", "a/b", "a\\b", "C:\\x", "-mnist", "mnist-", "mn ist", "mnist\n",
    "mnist\x00", "\x1b[31mmnist", "mnist%2e%2e", "mñist", "\u202emnist", "x" * 64, "x" * 10_000, "models:/mnist",
    "mnist;drop",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mnist", Reference(name="mnist")),
        ("mnist@1", Reference(name="mnist", version=1)),
        ("my-birds-2@champion", Reference(name="my-birds-2", alias="champion")),
        ("7@challenger", Reference(name="7", alias="challenger")),
        ("x" * 63, Reference(name="x" * 63)),
    ],
)
def test_a_reference_is_a_name_with_a_version_or_an_alias(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_none_is_refused_in_one_short_printable_line(name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a model") as caught:
        parse_reference(f"{name}@1")

    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 220


@hypothesis.settings(max_examples=30)
@given(st.text(max_size=70))
def test_any_text_is_a_name_or_refused_as_one(text: str) -> None:
    try:
        name = check_name(text)
    except UsageError as error:
        assert error.message.isprintable()
    else:
        assert name.isascii()
        assert name.replace("-", "").isalnum()
        assert name == name.lower()


def test_a_name_that_differs_in_case_only_is_refused_with_the_right_one() -> None:
    with pytest.raises(UsageError) as caught:
        parse_reference("MNIST@1")

    assert caught.value.hint == "Did you mean 'mnist'?"


@pytest.mark.parametrize("version", ["", "0", "01", "-1", "1.5", "1e3", "9" * 10, "99999999999999999999"])
def test_a_version_is_a_whole_number_from_one(version: str) -> None:
    with pytest.raises(UsageError, match="versions are whole numbers from 1") as caught:
        parse_reference(f"mnist@{version}")

    assert caught.value.hint == "List them with: forty models show mnist"


@pytest.mark.parametrize("alias", ["champ", "Champion", "latest", "../x", "champion@1", "\x1b[2J", "x" * 10_000])
def test_an_alias_is_one_of_two(alias: str) -> None:
    with pytest.raises(UsageError, match="There is no alias") as caught:
        parse_reference(f"mnist@{alias}")

    assert caught.value.hint == "Known: champion, challenger."
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 150


@pytest.mark.parametrize("text", ["mnist", "mnist@champion"])
def test_where_a_version_is_needed_its_number_is_asked_for(text: str) -> None:
    with pytest.raises(UsageError, match="does not say which version; expected NAME@VERSION, such as mnist@1"):
        parse_version(text)

"""The pages that compute: how they are found, what they are made of, and that they stay small."""

import json

import pytest
from made_up_days import finished

from fortydays.site.pages import make_site
from fortydays.site.play.design import script_with
from fortydays.site.play.listing import PLAY_PAGES


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return make_site([finished(1), finished(4)], ())


def test_there_is_a_list_of_them_and_home_and_their_days_lead_to_them(made: dict[str, bytes]) -> None:
    for path, link in (
        ("play/index.html", 'href="believe.html"'),
        ("index.html", 'href="play/believe.html"'),
        ("days/04-regularization.html", 'href="../play/believe.html#day-4"'),
    ):
        page = made[path].decode()
        assert link in page, path
        assert "Would you have believed it?" in page


def test_the_list_of_promises_leads_to_the_guesses(made: dict[str, bytes]) -> None:
    assert '<a href="play/guess.html">Guess before it opens</a>' in made["promises.html"].decode()


def test_they_load_their_own_script_style_and_data_and_nothing_else_does(made: dict[str, bytes]) -> None:
    page = made["play/believe.html"].decode()
    for name in ("play.css", "believe.css", "play.js", "believe.data.js", "believe.js"):
        assert f'"../assets/{name}"' in page
        assert f"assets/{name}" in made
    assert page.index("play.js") < page.index("believe.data.js") < page.index("believe.js")
    assert "play.js" not in made["index.html"].decode()


def test_without_days_there_is_none_of_them() -> None:
    made = make_site([], ())
    assert not [path for path in made if path.startswith("play/")]
    assert "play/" not in made["index.html"].decode()


def test_no_name_is_taken_by_the_site_itself_or_twice() -> None:
    names = [page.name for page in PLAY_PAGES]
    assert sorted({*names} - {"index", "play", "site", "search", "curves"}) == sorted(names)


def test_data_is_what_a_script_can_read() -> None:
    assert script_with({"a": [0.1, "é", None]}) == 'window.playData={"a":[0.1,"é",null]};\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_with({"a": float("nan")})
    assert json.loads(script_with({"b": "</script>"}).removeprefix("window.playData=").removesuffix(";\n"))

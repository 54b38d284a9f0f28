"""All pages of the site, made in memory from the finished days, the project's own pages and the commands."""

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fortydays import __version__
from fortydays.base.files import sha256_of_bytes
from fortydays.base.progress import SILENT, Progress
from fortydays.base.text import counted
from fortydays.days.journey import CHAPTERS, JOURNEY, Day
from fortydays.exercises.finding import days_with_exercises, exercises_of
from fortydays.exercises.starter import starter
from fortydays.report.page import context_of, environment
from fortydays.report.typesetting import style_of
from fortydays.site.commands import Command
from fortydays.site.documents import API_PAGE, DOCUMENTS, make_document, root
from fortydays.site.finished import FinishedDay
from fortydays.site.markup import contents, python, with_colors, with_headings, with_regions
from fortydays.site.networks import NETWORKS_PAGE, DatasetNetworks, accuracy_against_cost, networks_by_dataset
from fortydays.site.networks import in_words as in_words_of_picture
from fortydays.site.play.design import PlayPage
from fortydays.site.play.making import MadePlay, files_of, found_plays
from fortydays.site.reference import public_names
from fortydays.site.search import index
from fortydays.site.solved import mark, without_marks
from fortydays.site.thumbnails import thumbnail
from fortydays.study.judgement import Judgement, Verdict, word_of

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).with_name("templates")
_LAST = ("Try it", "Check yourself", "Sources")
"""Parts of the notes that stand behind the results."""

SURPRISES = 3


@dataclass(frozen=True, kw_only=True)
class _Page:
    """A page before it has its frame: address, title and body, which page follows which, and what it computes with.

    ``of_day`` says whether it is that of a day: all results on such a page are filled in from evidence.
    """

    path: str
    title: str
    body: str
    before: FinishedDay | None = None
    after: FinishedDay | None = None
    play: PlayPage | None = None
    of_day: bool = False


def make_site(
    days: Sequence[FinishedDay], commands: Sequence[Command], *, progress: Progress = SILENT, marked: bool = False
) -> dict[str, bytes]:
    """Every file of the site by its address.

    Args:
        days: those that are ready.
        commands: all that there are.
        progress: is told which day is made.
        marked: whether pages have marks that a server fills in: see :mod:`fortydays.site.solved`.

    Raises:
        StorageError: a file of the project that becomes a page cannot be read.
    """
    progress.start("Pages", total=float(len(days)), unit="days")
    of_days = []
    plays = found_plays(days)
    datasets = networks_by_dataset(days)
    for place in range(len(days)):
        of_days.append(_day(days, place, plays, datasets))
        progress.advance("Pages", done=place + 1.0)
    progress.finish("Pages", note=f"{counted(len(days), 'day')} made")
    pages = [
        _page("index.html", "Forty days of deep learning", "home.html", days=days, plays=plays, **_home(days)),
        *of_days,
        *_plays(days, plays),
        _page("promises.html", "Promise against result", "promises.html", rows=_rows(days), plays=plays),
        *_networks(datasets),
        *(
            _Page(path=d.page, title=d.name, body=f'<article class="prose">\n{make_document(d, root())}</article>')
            for d in DOCUMENTS
        ),
        _page("commands.html", "The command line", "commands.html", headings=_by_heading(commands)),
        _page(API_PAGE, "The Python API", "api.html", names=public_names()),
    ]
    shell = _environment().get_template("shell.html")
    frame = {
        "days": days,
        "plays": plays,
        "datasets": datasets,
        "documents": DOCUMENTS,
        "chapters": _chapters(days),
        "version": __version__,
    }
    made: dict[str, str] = {}
    pictures: dict[str, bytes] = {}
    for page in pages:
        made[page.path] = _with_files(_framed(shell, page, frame), pictures, up=_up(page.path))
    made["assets/site.css"] = _environment().get_template("site.css").render()
    if style := style_of(page.body for page in pages):
        made["assets/formulas.css"] = style
    for name in ("site.js", "curves.js"):
        made[f"assets/{name}"] = (_TEMPLATES / name).read_text("utf-8")
    made |= files_of(plays)
    made["assets/search.js"] = index((page.path, page.title, page.body) for page in pages)
    encoded = {path: text.encode() for path, text in made.items()}
    if not marked:
        encoded = {path: without_marks(page) for path, page in encoded.items()}
    return dict(sorted((encoded | pictures).items()))


def _environment() -> "jinja2.Environment":
    found = environment(_TEMPLATES)
    found.globals["solved"] = lambda *what: Markup(mark(*what))  # noqa: S704 - words and numbers of ours
    found.globals["claims_page"] = "../claims.html"  # from the page of a day, which alone has verdicts
    return found


def _page(path: str, title: str, template: str, **values: Any) -> _Page:
    # An environment of its own: it numbers the drawings of one page.
    return _Page(path=path, title=title, body=_environment().get_template(template).render(**values))


def _framed(shell: "jinja2.Template", page: _Page, frame: Mapping[str, Any]) -> str:
    body = Markup(page.body)  # noqa: S704 - made by templates
    return shell.render(**frame, page=page, body=body, contents=contents(body), up=_up(page.path))


def _up(path: str) -> str:
    """What leads from a page to the folder of the site."""
    return "../" * path.count("/")


def _with_files(text: str, pictures: dict[str, bytes], *, up: str) -> str:
    """A page whose photographs are files of their own: pages stay small, and those alike are kept once."""

    def place(match: re.Match[str]) -> str:
        content = base64.b64decode(match[1])
        path = f"pictures/{sha256_of_bytes(content)[:16]}.png"
        pictures[path] = content
        return f'src="{up}{path}"'

    return re.sub(r'src="data:image/png;base64,([^"]*)"', place, text)


# ---------------------------------------------------------------------------------------------------------------- days


def _day(
    days: Sequence[FinishedDay], place: int, plays: Sequence[MadePlay], datasets: Sequence[DatasetNetworks]
) -> _Page:
    found = days[place]
    parts = _notes(found.notes)
    page = _page(
        found.page,
        f"Day {found.day.number}. {found.day.title}",
        "day.html",
        **context_of(found.results, source="published"),
        day=found.day,
        question=parts.pop("The question", None),
        lesson={title: part for title, part in parts.items() if title not in _LAST},
        last={title: part for title, part in parts.items() if title in _LAST},
        code=python(found.source),
        lines=found.source.count("\n"),
        folder=f"{found.day.number:02}_{found.day.slug.replace('-', '_')}",
        exercises=_exercises(found.day),
        plays=[each for each in plays if found.day.number in each.content.days],
        beside=next((each.dataset for each in datasets if found.day in each.days), ""),
    )
    before = days[place - 1] if place else None
    after = days[place + 1] if place + 1 < len(days) else None
    return _Page(path=page.path, title=page.title, body=page.body, before=before, after=after, of_day=True)


def _exercises(day: Day) -> list[dict[str, Any]]:
    """A day's exercises as a reader begins them; the solutions are left to the command."""
    if day not in days_with_exercises():
        return []
    return [
        {"title": each.exercise.title, "code": python(starter(each).rstrip()), "hints": each.exercise.hints}
        for each in exercises_of(day)
    ]


def _notes(notes: str) -> dict[str, Markup]:
    """The parts of a day's notes by their titles, each with its heading."""
    made = with_regions(with_colors(with_headings(notes)), "Table in the notes")
    parts = re.split(r'(?=<h2 id=")', made)
    titles = [(re.search(r'<h2 id="[^"]*">(.*?)</h2>', part), part) for part in parts]
    return {title[1]: Markup(part) for title, part in titles if title}  # noqa: S704 - made by notes.to_html


def _networks(datasets: Sequence[DatasetNetworks]) -> list[_Page]:
    """The page of all networks, where days share a dataset."""
    if not datasets:
        return []
    values = {"datasets": datasets, "picture": accuracy_against_cost, "in_words": in_words_of_picture}
    return [_page(NETWORKS_PAGE, "All networks side by side", "networks.html", **values)]


# ---------------------------------------------------------------------------------------------- pages that compute


def _plays(days: Sequence[FinishedDay], plays: Sequence[MadePlay]) -> list[_Page]:
    """The pages that compute, after the list of them; nothing where there is none."""
    if not plays:
        return []
    pages = [_page("play/index.html", "Try it", "play/index.html", plays=plays)]
    for each in plays:
        behind = [day for day in days if day.day.number in each.content.days]
        values = {"play": each.page, "of_days": behind, **each.content.values}
        made = _page(each.page.path, each.page.title, f"play/{each.page.name}.html", **values)
        pages.append(_Page(path=made.path, title=made.title, body=made.body, play=each.page))
    return pages


# ---------------------------------------------------------------------------------------------------------------- home


def _home(days: Sequence[FinishedDay]) -> dict[str, Any]:
    claims = [claim for each in days for claim in each.results.claims]
    return {
        "chapters": _chapters(days),
        "surprises": surprises(days),
        "thumbnails": {each.day.number: thumbnail(each.results) for each in days},
        "trials": sum(len(v.finished) for each in days for v in each.results.variants),
        "claims": claims,
        "counts": in_words(claims),
    }


def _chapters(days: Sequence[FinishedDay]) -> list[tuple[str, list[tuple[Day, FinishedDay | None]]]]:
    """The stretches of the journey, each with its days and what is finished of them."""
    known = {each.day.number: each for each in days}
    starts = [*CHAPTERS, len(JOURNEY) + 1]
    return [
        (name, [(day, known.get(day.number)) for day in JOURNEY[start - 1 : end - 1]])
        for (start, name), end in zip(CHAPTERS.items(), starts[1:], strict=True)
    ]


def in_words(claims: Iterable[Judgement]) -> dict[str, int]:
    """How many claims have each verdict, by its word: a demonstration that is "reached" supports nothing."""
    count = Counter(claim.word for claim in claims)
    words = dict.fromkeys(word_of(v, demonstration=shown) for shown in (False, True) for v in Verdict)
    return {word: count[word] for word in words if count[word]}


def surprises(days: Sequence[FinishedDay]) -> list[tuple[FinishedDay, Judgement]]:
    """The refuted claims whose value is furthest from the bound, one a day, in the order of the days.

    The distance is measured in widths of the interval that judged: how clearly a claim is refuted, and not how large
    the difference is.
    """

    def distance(claim: Judgement) -> float:
        if claim.value is None or claim.low is None or claim.high is None or claim.high <= claim.low:
            return 0.0
        return abs(claim.value - claim.bound) / (claim.high - claim.low)

    found = []
    for each in days:
        refuted = [c for c in each.results.claims if c.verdict is Verdict.REFUTED and not c.demonstration]
        if refuted:
            found.append((each, max(refuted, key=distance)))
    chosen = sorted(found, key=lambda pair: -distance(pair[1]))[:SURPRISES]
    return sorted(chosen, key=lambda pair: pair[0].day.number)


def _rows(days: Sequence[FinishedDay]) -> list[tuple[Day, FinishedDay | None]]:
    return [row for _, rows in _chapters(days) for row in rows]


def _by_heading(commands: Sequence[Command]) -> dict[str, list[Command]]:
    return {
        heading: [each for each in commands if each.heading == heading]
        for heading in dict.fromkeys(each.heading for each in commands)
    }

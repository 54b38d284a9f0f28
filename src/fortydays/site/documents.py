"""The project's own pages: Markdown files of the repository, which an installed package brings along."""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.report.notes import to_html
from fortydays.report.typesetting import typeset
from fortydays.site.markup import with_colors, with_headings, with_links, with_listings, with_regions

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file that becomes a page.

    Attributes:
        file: its path in the repository.
        page: the address of its page.
        name: what links to it are called.
        part: the heading of the one part that is shown, or "" for all of it.
    """

    file: str
    page: str
    name: str
    part: str = ""


DOCUMENTS = (
    Document(file="docs/install.md", page="install.html", name="Install, upgrade, uninstall"),
    Document(file="docs/tour.md", page="tour.html", name="A tour of the commands"),
    Document(file="docs/results.md", page="results.html", name="All results"),
    Document(file="docs/claims.md", page="claims.html", name="How claims are judged"),
    Document(file="docs/architecture.md", page="vocabulary.html", name="Vocabulary", part="Words"),
    Document(file="docs/exercises.md", page="exercises.html", name="Exercises"),
    Document(file="docs/tuning.md", page="tuning.html", name="Tuning a recipe"),
    Document(file="docs/python.md", page="python.html", name="Python and notebooks"),
    Document(file="docs/data.md", page="data.html", name="Data"),
    Document(file="docs/photographs.md", page="photographs.html", name="Your own photographs"),
    Document(file="docs/texts.md", page="texts.html", name="Your own texts"),
    Document(file="docs/cluster.md", page="cluster.html", name="Several machines"),
    Document(file="docs/kubernetes.md", page="kubernetes.html", name="Kubernetes, clouds and cost"),
    Document(file="docs/errors.md", page="errors.html", name="Errors and what to do"),
    Document(file="docs/registry.md", page="registry.html", name="From study to model"),
    Document(file="docs/serving.md", page="serving.html", name="From model to service"),
    Document(file="docs/speed.md", page="speed.html", name="How fast it is"),
    Document(file="bench/RESULTS.md", page="measurements.html", name="How speed was measured"),
    Document(file="docs/architecture.md", page="architecture.html", name="How it is built"),
    Document(file="docs/dependencies.md", page="dependencies.html", name="Dependencies"),
    Document(file="docs/adding-a-day.md", page="adding-a-day.html", name="How to add a day"),
    Document(file="CONTRIBUTING.md", page="contributing.html", name="Contributing"),
    Document(file="CHANGELOG.md", page="changes.html", name="Changes"),
)
API_PAGE = "api.html"
PAGES = {each.file: each.page for each in DOCUMENTS} | {"src/fortydays/api.py": API_PAGE}
"""The pages that links to files of the repository go to."""


def root() -> Path:
    """Where these files are: inside an installed package, or the source checkout."""
    installed = _PACKAGE / "pages"
    return installed if installed.is_dir() else _PACKAGE.parents[1]


def make_document(document: Document, folder: Path) -> Markup:
    """The body of a page, made from its file.

    Args:
        document: which one.
        folder: the repository, or what an installed package has of it; see :func:`root`.

    Raises:
        StorageError: the file cannot be read, or has not the part that is asked for.
    """
    path = folder / document.file
    with files.storage_errors("read", path):
        text = path.read_text("utf-8")
    if document.part:
        found = re.search(rf"^## {re.escape(document.part)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        if found is None:
            raise StorageError(f"{path} has no part {document.part!r}, of which the page {document.page} is made.")
        text = f"# {document.name}\n{found[1]}"
    made = to_html(re.sub(r"^<!--.*?-->\n", "", text, flags=re.DOTALL | re.MULTILINE), formula=typeset)
    made = made.replace("&lt;br&gt;", "<br>")  # the only HTML that the tables need
    made = with_links(with_colors(with_headings(made)), PAGES, folder=document.file.rpartition("/")[0])
    made = with_listings(made, PAGES)
    return Markup(with_regions(made))  # noqa: S704 - made by notes.to_html, which lets no HTML through

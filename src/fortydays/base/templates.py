"""Plain texts that are filled in: files of jinja2 beside the module that uses them."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


def plain_text(path: Path) -> "jinja2.Template":
    """A template of Markdown or Python; nothing is escaped, and a value that is missing is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - nothing of it is HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": lambda share: f"{100 * share:.2f}%", "thousands": lambda value: f"{value:,}"}
    return environment.get_template(path.name)

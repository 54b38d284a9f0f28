"""The model card as a page."""

import html
import re

from fortydays.registry.contents import PICTURE_FILE, Bundle

_LONGEST = 60_000
"""Characters. The time that Markdown takes can grow with their number squared; these take a second at most."""
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def card_page(bundle: Bundle) -> str:
    """The card as HTML; what is HTML in it is shown as text, and so is a card that is too long."""
    from markdown_it import MarkdownIt

    text = _FRONT_MATTER.sub("", bundle.card)
    if len(text) > _LONGEST:
        body = f"<pre>{html.escape(text)}</pre>"
    else:
        body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = body.replace(f'src="{PICTURE_FILE}"', 'src="picture"')
    title = html.escape(f"{bundle.name}@{bundle.version}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="../page/page.css"></head>'
        f'<body class="card"><main>{body}<p><a href="../">Back</a></p></main></body></html>'
    )

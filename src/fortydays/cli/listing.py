"""How a family of commands is listed in its help: each with a whole sentence, and none that breaks off."""

from typing import Any

from typer.core import TyperGroup

_LONGEST_SENTENCE = 1000


class Commands(TyperGroup):
    """The library's group of commands, which else cuts what it says of one to the width of the screen."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands: the first sentence of each, or its part before a colon where it is long."""
        known = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        shown = {name: command for name, command in known.items() if command is not None and not command.hidden}
        room = formatter.width - 6 - max(map(len, shown), default=0)
        rows = [(name, _headline(each.get_short_help_str(_LONGEST_SENTENCE), room)) for name, each in shown.items()]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _headline(sentence: str, room: int) -> str:
    """A sentence, or its head, where it has one, if it is longer than a line."""
    for sign in (":", ";") if len(sentence) > room else ():
        head, found, _ = sentence.partition(sign)
        if found:
            return f"{head}."
    return sentence

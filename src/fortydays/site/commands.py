"""What the page of commands shows, as values: the command line itself is a room above this one."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """An argument or an option: how it is written, and what it does, with its default."""

    name: str
    help: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of ``forty``.

    Attributes:
        name: such as "data add".
        heading: under which the help lists it.
        usage: the words behind ``forty``, such as "read [OPTIONS] DAY".
        help: what it does, a paragraph for each text.
        parameters: its arguments and options.
    """

    name: str
    heading: str
    usage: str
    help: tuple[str, ...]
    parameters: tuple[Parameter, ...]

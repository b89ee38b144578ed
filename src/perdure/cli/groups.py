"""Groups of commands, such as ``perdure schedule``: all alike."""

import typer
from typer.core import TyperGroup

from perdure.cli.certificates import Commands


def group(name: str, about: str, examples: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A group whose help says what it is about and shows examples."""
    made = Commands(
        name=name,
        cls=cls,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=examples,
    )

    def describe() -> None: ...

    describe.__doc__ = about
    made.callback(epilog=examples)(describe)
    return made

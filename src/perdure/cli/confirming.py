"""Asking a person whether it is meant, before what can't be undone."""

import sys

import typer

from perdure.model.errors import InvalidArgumentError


def confirm(question: str, is_meant: bool) -> None:
    """Go on only if it is meant.

    Raises:
        InvalidArgumentError: nobody is there to be asked.
        typer.Abort: the answer was no.
    """
    if is_meant:
        return
    if not sys.stdin.isatty():
        raise InvalidArgumentError(f"{question} Nobody is there to be asked: say --yes if it is meant.")
    typer.confirm(question, abort=True, err=True)

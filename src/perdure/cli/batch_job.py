"""What all commands have in common that begin a batch: which runs, how fast, and whether it is meant."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from perdure.cli.parameters import Json, Namespace, Server, ServerPlace, Statuses, Token, WorkflowType, Yes

if TYPE_CHECKING:
    from perdure.sdk.batches.definition import Operation

FilterOption = Annotated[
    str,
    typer.Option(
        "--filter", "-f", metavar="FILTER", help="Which runs, without ORDER BY; see docs/search.md.", show_default=False
    ),
]
All = Annotated[bool, typer.Option("--all", help="Every run of the namespace, where no filter is given.")]
Rate = Annotated[
    float, typer.Option("--rate", metavar="N", min=0, help="How many runs a second at most; 0 for as fast as it goes.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many runs it would be, and which come first.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Do not wait until it has ended.")]
Id = Annotated[
    str,
    typer.Option(
        "--id",
        metavar="ID",
        help="The batch's id: the same again is the same batch. Made up if not given.",
        show_default=False,
    ),
]


class Job(msgspec.Struct, frozen=True):
    """A batch as it was asked for."""

    place: str | None
    filter: str
    status: list[Any]
    workflow_type: str
    everything: bool
    rate: float
    id: str
    dry_run: bool
    yes: bool
    detach: bool
    json: bool
    namespace: str
    server: str
    token: str

    def run(self, operation: "Operation") -> None:
        """Count, ask whether it is meant, begin, and wait. Raises ``typer.Exit`` where something failed."""
        from perdure.cli import batch_view
        from perdure.cli.asking import ask_client
        from perdure.cli.confirming import confirm
        from perdure.model.errors import InvalidArgumentError
        from perdure.sdk.batches.definition import name_of

        if not (self.filter or self.status or self.workflow_type or self.everything):
            raise InvalidArgumentError("Which runs? Say --filter, --type or --status; or --all for every run.")
        where = (self.place, self.server, self.token, self.namespace)
        total, first = ask_client(*where, lambda client: batch_view.preview(client, operation, self))
        if self.dry_run:
            batch_view.print_preview(total, first, json=self.json)
            return
        runs = f"{total:,} run{'' if total == 1 else 's'}"
        confirm(f"{name_of(operation).capitalize()} {runs} of namespace {self.namespace!r}?", self.yes)
        if ask_client(*where, lambda client: batch_view.carry_out(client, operation, self)):
            raise typer.Exit(1)


def begins_batch(command: Callable[..., None]) -> Callable[..., None]:
    """A command with all these options; it is called with the ``Job`` that they come to."""
    own = [parameter for parameter in inspect.signature(command).parameters.values() if parameter.name != "job"]
    shared = list(inspect.signature(_options).parameters.values())

    @wraps(command)
    def run(**given: Any) -> None:
        job = Job(**{parameter.name: given.pop(parameter.name) for parameter in shared})
        command(Job(**{**msgspec.structs.asdict(job), "status": job.status or []}), **given)

    place, *options = shared
    # By keyword alone, so that arguments without a default may stand behind those with one.
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (place, *own, *options)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run


def _options(
    place: ServerPlace = None,
    filter: FilterOption = "",
    status: Statuses = None,
    workflow_type: WorkflowType = "",
    everything: All = False,
    rate: Rate = 0.0,
    id: Id = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    detach: Detach = False,
    json: Json = False,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Only its signature is used."""

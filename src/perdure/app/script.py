"""One workflow and nothing else: what a script or a notebook needs, in one call."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple, Unpack, overload

from perdure.app.embedded import open as open_here
from perdure.app.stores import DEFAULT_STORE
from perdure.engine.ports import Store
from perdure.sdk.app import App
from perdure.sdk.starting import RunsAny, StartOptions

R = TypeVar("R")
Args = TypeVarTuple("Args")


@overload
async def execute(
    app: App,
    workflow: Callable[[*Args], Coroutine[Any, Any, R]],
    /,
    *args: *Args,
    store: str | Store = DEFAULT_STORE,
    **options: Unpack[StartOptions],
) -> R: ...
@overload
async def execute(
    app: App,
    workflow: type[RunsAny[R]],
    /,
    *args: Any,
    store: str | Store = DEFAULT_STORE,
    **options: Unpack[StartOptions],
) -> R: ...
@overload
async def execute(
    app: App, workflow: str, /, *args: Any, store: str | Store = DEFAULT_STORE, **options: Unpack[StartOptions]
) -> Any: ...
async def execute(  # type: ignore[misc]  # *Args
    app: App, workflow: Any, /, *args: Any, store: str | Store = DEFAULT_STORE, **options: Any
) -> Any:
    """Open a store, execute one workflow, and close it again: ``open`` and ``Client.execute`` in one.

    Args:
        app: whose workflows and activities run here, those that the store still has under way among them.
        workflow: a workflow function or class of the app, or the name of its type.
        args: its arguments.
        store: a URL or a store object, as for ``open``.
        options: see ``StartOptions``. With ``id``, a program that was killed and is started again goes on with the same
            run.

    Returns:
        The workflow's result.

    Raises:
        WorkflowFailedError: it ended in another way. ``status`` says how, ``__cause__`` says why.
        StoreError: the store can't be opened.
    """
    async with open_here(app, store=store) as client:
        return await client.execute(workflow, *args, **options)

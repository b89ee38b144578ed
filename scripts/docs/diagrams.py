"""Mermaid diagrams, drawn while the site is built: pages need no script for them, and a diagram with a mistake ends the build."""

from typing import Any

import mmdr

_drawn = 0


def svg(source: str, *_: Any, **__: Any) -> str:
    """A fenced block ``mermaid`` as a picture. Called by ``pymdownx.superfences``. Raises ``ValueError`` for a mistake."""
    global _drawn
    _drawn += 1
    # Ids and styles inside of a picture hold for the whole page, so each picture has a name of its own.
    drawn: str = mmdr.render(source).svg().replace("merman", f"diagram-{_drawn}")
    return f'<div class="diagram" role="img">{drawn}</div>'

"""The documentation page: Swagger UI from an installed package, so that it needs no internet."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from perdure.protocols.rest.openapi import PREFIX

_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}

_SCRIPT = """window.onload = () => {
  SwaggerUIBundle({ url: "%s/openapi.json", dom_id: "#page", deepLinking: true, docExpansion: "list", filter: true });
};
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Perdure: REST</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page">The document itself is at <a href="%s/openapi.json">openapi.json</a>.</div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
"""

_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


def routes(document: dict[str, Any]) -> list[BaseRoute]:
    """The document, the page, and what the page needs."""
    content = msgspec.json.encode(document)
    assets = _assets()

    async def openapi(request: Request) -> Response:
        return Response(content, media_type="application/json")

    async def page(request: Request) -> Response:
        return HTMLResponse(_PAGE % PREFIX, headers={"content-security-policy": _POLICY})

    async def script(request: Request) -> Response:
        return Response(_SCRIPT % PREFIX, media_type="text/javascript")

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if assets is None or name not in _FILES:
            return Response(status_code=404)
        return FileResponse(assets / name, media_type=_FILES[name])

    return [
        Route(f"{PREFIX}/openapi.json", openapi),
        Route("/api/docs", page),
        Route("/api/docs/page.js", script),
        Route("/api/docs/{name}", asset),
    ]


def _assets() -> Path | None:
    """Where Swagger UI is. The package is not imported: it would bring Flask, and only its files are wanted."""
    spec = find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "dist"

"""What MkDocs calls while it builds the site; named in ``mkdocs.yml``.

Pages are written to be read in the repository too. Two things are different there: the generated parts are comments, and
links lead to files of the repository. Here the parts are put in, and each file that a page links to gets a page of
its own.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File
from scripts.docs.markers import filled
from scripts.docs.names import public_names

log = get_plugin_logger("reference")
ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>\.\.?/[^)#\s]+)\)")
_ANCHOR = re.compile(r'\bid="([^"]+)"')
_FROM_ELSEWHERE = re.compile(r'<(?:script|img|iframe|link rel="stylesheet")\b[^>]*(?:src|href)="((?:https?:)?//[^"]+)"')
_LANGUAGES = {".py": "python", ".sql": "sql", ".toml": "toml", ".md": "markdown"}


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each file of the repository that a page links to."""
    for page in list(files.documentation_pages()):
        for found in _LINK.finditer(filled(page.content_string)):
            path = _repository_path(page.src_uri, found["target"])
            if path is not None and path.is_file() and (uri := _source_page(path)) not in files.src_uris:
                files.append(File.generated(config, uri, content=_listing(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Put in the generated parts, and lead links out of ``docs`` to the pages that stand for files."""
    if page.file.generated_by:
        return markdown
    here = posixpath.dirname(page.file.src_uri)

    def mended(found: re.Match[str]) -> str:
        path = _repository_path(page.file.src_uri, found["target"])
        if path is None:
            return found[0]
        if path.is_file():
            return f"[{found['text']}]({posixpath.relpath(_source_page(path), here or '.')})"
        return found["text"] if path.exists() else found[0]  # a folder has no page

    return _LINK.sub(mended, filled(markdown))


def _repository_path(page: str, target: str) -> Path | None:
    """The file that a link of a page leads to, if it is in the repository but not in ``docs``."""
    path = (ROOT / "docs" / page).parent.joinpath(target).resolve()
    return path if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "docs") else None


def _source_page(path: Path) -> str:
    return f"source/{path.relative_to(ROOT).as_posix()}.md"


def _listing(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    return f"# {name}\n\n````{_LANGUAGES.get(path.suffix, 'text')}\n{path.read_text('utf-8')}\n````\n"


def on_post_build(config: Any) -> None:
    """Look at what was built: each public name must be in the reference, and no page may need anything from elsewhere."""
    anchors: set[str] = set()
    for path in Path(config.site_dir).rglob("*.html"):
        html = path.read_text("utf-8")
        anchors.update(_ANCHOR.findall(html))
        for found in _FROM_ELSEWHERE.finditer(html):
            log.warning("%s needs %s, which is not of this site", path.relative_to(config.site_dir), found[1])
    for name, value in public_names().items():
        if not anchors & {name, f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"}:
            log.warning(
                "%s is public, but not in the reference: write '::: %s' in a page of docs/reference", name, name
            )

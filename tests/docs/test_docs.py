"""Undocumented is unfinished: every event, setting, limit, error and public name has its place in the docs.

The tables are written from docstrings when the site is built (``scripts/docs``), so what is checked here is that there is
a docstring, and a page that asks for it.
"""

import inspect
import re
from pathlib import Path

import pytest
from scripts.docs import errors as error_entries
from scripts.docs import markers, names, records
from scripts.docs import settings as setting_tables

import perdure
import perdure.testing
from perdure.engine.settings import Settings
from perdure.model import errors, events, limits

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
DIRECTIVES = set(re.findall(r"^::: (\S+)", "\n".join(page.read_text("utf-8") for page in PAGES), re.MULTILINE))


def asked_for(part: str) -> bool:
    """Whether a page asks for a generated part."""
    return any(found[0] == part for page in PAGES for found in markers.MARKER.findall(page.read_text("utf-8")))


@pytest.mark.parametrize(
    "record", [*records.of(events.Event), *records.of(events.Fact)], ids=lambda record: record.__name__
)
def test_every_record_says_what_has_happened(record):
    assert records.description(record), f"{record.__name__} needs a docstring: it is its row in docs/events.md"


@pytest.mark.parametrize("settings", [Settings, limits.Limits], ids=lambda settings: settings.__name__)
def test_every_setting_says_what_it_means(settings):
    described = setting_tables.descriptions(settings)
    missing = [name for name in settings.__struct_fields__ if name not in described]
    assert not missing, f"write a string below each of these fields: it is its row in docs/settings.md: {missing}"


@pytest.mark.parametrize("name", error_entries.names())
def test_every_error_is_public_in_the_tree_and_says_what_to_do(name):
    assert name in perdure.__all__
    assert re.search(rf"[─ ]{name}\b", error_entries.tree()) or name == "PerdureError"
    assert "What to do:" in getattr(errors, name).__doc__


def test_pages_ask_for_every_generated_part():
    assert [part for part in markers.PARTS if not asked_for(part)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_generated_parts_can_be_written(page):
    assert not markers.MARKER.search(markers.filled(page.read_text("utf-8")))


def test_every_public_name_is_in_the_reference():
    """The site's build checks the same on what it has built, and members too (``scripts/docs/hook.py``)."""
    whole = {name.rpartition(".")[0] for name in names.public_names()} & DIRECTIVES  # modules shown with all they list
    errors = {f"perdure.{name}" for name in error_entries.names()}
    missing = [
        name
        for name, value in names.public_names().items()
        if not DIRECTIVES & {name, f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"}
        and name.rpartition(".")[0] not in whole
        and name not in errors
    ]
    assert not missing, f"give each a line '::: name' in a page of docs/reference: {missing}"


@pytest.mark.parametrize(
    "module", [perdure, perdure.activity, perdure.workflow, perdure.testing], ids=lambda m: m.__name__
)
def test_every_public_name_and_method_has_a_docstring(module):
    missing = []
    for name in module.__all__:
        value = getattr(module, name)
        if not callable(value):
            continue
        if not value.__doc__:
            missing.append(name)
        if isinstance(value, type):
            missing += [
                f"{name}.{attribute}"
                for attribute, member in vars(value).items()
                if not attribute.startswith("_")
                and (callable(member) or isinstance(member, property))
                and not (member.__doc__ or getattr(member, "fget", member).__doc__)
            ]
    assert not missing


def test_links_between_the_pages_lead_somewhere():
    broken = []
    for page in [ROOT / "README.md", *PAGES]:
        for target in re.findall(r"\]\((?![a-z]+:)([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_every_option_of_open_is_explained():
    parameters = inspect.signature(perdure.open).parameters
    missing = [name for name in parameters if f"        {name}: " not in (perdure.open.__doc__ or "")]
    assert not missing


@pytest.mark.parametrize("folder", ["patterns", "guide", "concepts", "tutorial", "reference"])
def test_an_index_leads_to_every_page_of_its_folder(folder):
    index = (DOCS / folder / "index.md").read_text("utf-8")
    missing = [
        page.name for page in DOCS.glob(f"{folder}/*.md") if page.name != "index.md" and f"({page.name}" not in index
    ]
    assert not missing

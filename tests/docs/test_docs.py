"""Undocumented is unfinished: every event, setting, limit and public name has its place in the docs."""

import re
import typing
from pathlib import Path

import pytest

import perdure
from perdure.engine.settings import Settings
from perdure.model import events, limits

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("record", typing.get_args(events.AnyRecord), ids=lambda record: record.__name__)
def test_every_record_and_its_attributes_are_documented(record):
    rows = [line for line in (DOCS / "events.md").read_text().splitlines() if f"| `{record.__name__}` |" in line]
    assert len(rows) == 1
    assert f"| {record.__struct_config__.tag} |" in rows[0]
    missing = [name for name in record.__struct_fields__ if name not in ("id", "time") and f"`{name}`" not in rows[0]]
    assert not missing


@pytest.mark.parametrize("settings", [Settings, limits.Limits], ids=lambda settings: settings.__name__)
def test_every_setting_is_documented(settings):
    text = (DOCS / "settings.md").read_text()
    missing = [name for name in settings.__struct_fields__ if f"| `{name}` |" not in text]
    assert not missing


def test_every_option_of_open_is_documented():
    text = (DOCS / "settings.md").read_text()
    names = list(perdure.open.__wrapped__.__kwdefaults__)  # type: ignore[attr-defined]
    missing = [name for name in names if f"`{name}`" not in text]
    assert not missing


def test_links_between_the_pages_lead_somewhere():
    broken = []
    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken

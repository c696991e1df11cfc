"""The one-page summary of a sending: what is to be mended, what clears most, what was loaded; as a page and as JSON."""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

_TEMPLATE = Path(__file__).with_name("summary.html")


def summary_json(facts: dict[str, object]) -> bytes:
    """The summary for programs: UTF-8 JSON, keys in the order of the page."""
    return (json.dumps(facts, ensure_ascii=False, indent=2) + "\n").encode()


def summary_page(facts: dict[str, object]) -> bytes:
    """The summary for people: one HTML file without anything outside it, printing on one A4 page."""
    return _page().render(**facts).encode()


@cache
def _page() -> "jinja2.Template":
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = lambda count: f"{int(count):,}".replace(",", ".")
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))

"""Hooks: what mkdocs is told while it builds: pages that nobody put in order come last; links out of docs/ are words.

So a new page is in the site without anybody having to think of it, and what is not shipped with the site is no broken
link in it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)([^)#]*)[^)]*\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave out of the order what is not there, and add what is."""
    docs = Path(config.docs_dir)
    ordered = [_kept(entry, docs) for entry in config.nav or []]
    nav = [entry for entry in ordered if entry is not None]
    named = set(re.findall(r"[\w/.-]+\.md", str(nav)))
    pages = sorted(page.relative_to(docs).as_posix() for page in docs.rglob("*.md"))
    rest = [page for page in pages if page not in named]
    config.nav = [*nav, {"More": rest}] if rest else nav
    return config


def on_page_markdown(markdown: str, page: object, config: MkDocsConfig, **_: object) -> str:
    """Make words of links to files that the site does not have."""
    source = Path(page.file.src_uri)  # type: ignore[attr-defined]
    docs = Path(config.docs_dir).resolve()

    def words(found: re.Match[str]) -> str:
        target = (docs / source.parent / found[2] / found[3]).resolve()
        return found[0] if target.is_relative_to(docs) else found[1]

    return OUTSIDE.sub(words, markdown)


def _kept(entry: object, docs: Path) -> object | None:
    if isinstance(entry, str):
        return entry if (docs / entry).exists() else None
    if isinstance(entry, dict):
        ((title, inside),) = entry.items()
        if isinstance(inside, str):
            return entry if (docs / inside).exists() else None
        kept = [one for one in (_kept(each, docs) for each in inside) if one is not None]
        return {title: kept} if kept else None
    return None

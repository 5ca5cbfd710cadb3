"""The documentation's site: it builds without a warning, has every page and a reference, and fetches nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FETCHED = re.compile(r"""<(?:link|script|img|iframe)[^>]*?(?:href|src)=["']?((?:https?:)?//[^"'> ]+)""")
MISSING = [name for name in ("mkdocs", "material", "mkdocstrings") if find_spec(name) is None]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as `make docs` does it."""
    if MISSING:
        pytest.skip(f"{', '.join(MISSING)} not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_the_site_and_in_its_order(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / name).exists(), name
        assert f'href="{name}"' in index, f"{name} is in no menu"


def test_the_reference_comes_from_docstrings(site: Path) -> None:
    for page, name in (("pool", "semaphores.pool.acquire"), ("workers", "workers.job.job"), ("errors", "LeaseLost")):
        assert name in (site / "reference" / f"{page}.html").read_text(encoding="utf-8")


def test_it_fetches_nothing_from_elsewhere(site: Path) -> None:
    fetched = {found for page in site.rglob("*.html") for found in FETCHED.findall(page.read_text(encoding="utf-8"))}
    assert fetched == set()
    for picture in (site / "pictures").iterdir():
        assert "@font-face" not in picture.read_text(encoding="utf-8")
    assert not list((site / "pictures").glob("*.py"))

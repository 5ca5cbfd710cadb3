"""The page in a real headless Chromium: hostile text, the policy, live news, keyboard, phone, dark; and pictures of
each view, in tests/ui/screenshots/ (kept out of git).

Skipped where /usr/bin/chromium is not installed (`apt-get install chromium`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, sync_playwright

from semaphores import Client
from semaphores.ui import PageSettings
from tests.ui.scene import EVIL, Scene
from tests.ui.site import serve

CHROMIUM = Path("/usr/bin/chromium")
PICTURES = Path(__file__).parent / "screenshots"
QUIET = (
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--no-first-run", "--disable-gpu", "--disable-extensions", "--disable-dev-shm-usage"),
)
VIEWS = {
    "concurrency": "/",
    "limit": "/limit?name=pool:database",
    "edit": "/edit",
    "runs": "/runs",
    "run": "/run?id=0a0a0a0a0a0a0a0a",
    "queued": "/run?id=cccccccccccccccc",
    "jobs": "/jobs",
    "submit": "/submit?job=etl",
    "workers": "/workers",
    "config": "/config",
    "confirm": "/confirm?what=cancel&run=0a0a0a0a0a0a0a0a",
}

NAMELESS = """() => [
    ...[...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
        .filter((field) => !field.labels.length && !field.ariaLabel),
    ...[...document.querySelectorAll("a, button")].filter((one) => !(one.textContent.trim() || one.ariaLabel)),
].map((one) => one.outerHTML)"""
COLOURS = """() => [...document.querySelectorAll("body *")].filter((one) =>
    [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())
    && one.checkVisibility() && !one.closest(".unseen, .skip, svg, option")
).map((one) => {
    let behind = one;
    while (behind && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    const ground = getComputedStyle(behind ?? document.documentElement).backgroundColor;
    return [getComputedStyle(one).color, ground, one.textContent.trim().slice(0, 40)];
})"""

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"no {CHROMIUM}: 'apt-get install chromium' lets the page be tried in a browser"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
        yield launched
        launched.close()


@pytest.fixture
def site(client: Client, scene: Scene) -> Iterator[str]:
    """The address of the page, with changes allowed."""
    with serve(client, PageSettings(allow_writes=True)) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own; whatever it complains of fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield tab
    context.close()
    assert complaints == []


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def live(page: Page) -> None:
    """Wait until the page hears news."""
    page.wait_for_selector(".pulse[data-state=live]")


def test_hostile_names_are_text_also_where_news_put_them(page: Page, site: str, scene: Scene, client: Client) -> None:
    page.goto(site)
    live(page)
    client.limits.set(f"pool:{EVIL.replace('owned', 'again')}", 3, description="<img src=x onerror=alert(1)>")
    page.wait_for_selector("text=again")
    assert page.title() == f"Concurrency · {client.connections.namespace} · semaphores"
    assert page.locator("main script, main img").count() == 0
    assert page.get_by_text(EVIL, exact=True).count() >= 1
    page.goto(f"{site}/run?id=0a0a0a0a0a0a0a0a")
    assert page.get_by_text("<script>alert(1)</script> is only text").is_visible()


def test_the_policy_blocks_script_and_style_in_the_text(browser: Browser, site: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    violations: list[str] = []
    page.on("console", lambda message: violations.append(message.text))
    page.goto(site)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.owned = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<p id=styled style='color: rgb(1, 2, 3)'>x</p>");
            document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.owned = true'>");
            const other = document.createElement("script");
            other.src = "https://evil.example/x.js";
            document.body.append(other);
        }"""
    )
    page.wait_for_timeout(300)  # that nothing happens is the subject
    assert page.evaluate("window.owned") is None
    assert page.evaluate("getComputedStyle(document.getElementById('styled')).color") != "rgb(1, 2, 3)"
    assert sum("Content Security Policy" in text or "violates" in text for text in violations) >= 3, violations
    context.close()


def test_a_change_shows_within_a_second_and_keeps_the_focus(page: Page, site: str, scene: Scene) -> None:
    page.goto(site)
    live(page)
    page.fill("#q", "half a wor")
    page.evaluate("window.before = document.activeElement")
    for capacity in (9, 8):
        begun = time.monotonic()
        scene.alice.change({"limit": "pool:database", "kind": "set", "capacity": capacity})
        page.wait_for_function(
            "n => document.getElementById('row-pool:database').textContent.includes('/' + n)", arg=capacity, polling=20
        )
        took = time.monotonic() - begun
        assert took < 1.0, f"{took:.2f} s"
    begun = time.monotonic()
    scene.alice.change({"limit": "pool:brand-new", "kind": "set", "capacity": 1})
    page.wait_for_selector("[id='row-pool:brand-new']", state="attached")
    took = time.monotonic() - begun
    assert took < 1.0, f"a new limit: {took:.2f} s"
    assert page.evaluate("document.activeElement === window.before && document.activeElement.value") == "half a wor"


def test_a_run_that_goes_on_is_seen_going_on(page: Page, site: str, scene: Scene) -> None:
    page.goto(f"{site}/run?id=0a0a0a0a0a0a0a0a")
    live(page)
    scene.report("0a0a0a0a0a0a0a0a", "load", "STARTED")
    scene.report("0a0a0a0a0a0a0a0a", "load", "OUT", "hello from the op")
    page.wait_for_selector("text=hello from the op", timeout=2000)
    assert page.locator("#op-load .b-running").count() == 1


def test_a_pool_is_paused_with_the_keyboard_alone(page: Page, site: str, client: Client) -> None:
    page.goto(site)
    live(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("connections")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=connections")
    live(page)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.includes('database')"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**/limit?name=pool*")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Pause":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("text=is paused: nothing more starts")
    assert client.limits.get("pool:database").paused_from == 2


def test_a_confirmation_stands_before_what_cannot_be_undone(page: Page, site: str, client: Client) -> None:
    page.goto(f"{site}/limit?name=pool:database")
    page.get_by_role("link", name="Free the slots of").first.click()
    page.wait_for_url("**/confirm?*")
    assert len(client.leases("pool:database")) == 2
    page.get_by_role("button", name="Free now").click()
    page.wait_for_selector("text=its slots are free")
    assert page.url.startswith(f"{site}/limit?name=pool")
    assert len(client.leases("pool:database")) == 1


def test_each_view_fits_a_phone_and_everything_has_a_name(browser: Browser, site: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, device_scale_factor=2, has_touch=True)
    page = context.new_page()
    for name, path in VIEWS.items():
        page.goto(site + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        assert page.evaluate(NAMELESS) == [], name
        picture(page, f"phone-{name}")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_in_light_and_dark(browser: Browser, site: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for name, path in VIEWS.items():
        page.goto(site + path)
        if name == "config":
            page.wait_for_selector("text=Examined at")
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (luminance(ground) > 0.5) == (scheme == "light")
        for ink, behind, text in page.evaluate(COLOURS):
            lights = luminance(ink), luminance(behind)
            contrast = (max(lights) + 0.05) / (min(lights) + 0.05)
            assert contrast >= 4.5, f"{name}: {contrast:.1f} of {text!r}, {ink} on {behind}"
        picture(page, f"{scheme}-{name}")
    context.close()


def test_every_page_reads_without_scripts(browser: Browser, site: str, client: Client) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    page.get_by_role("link", name="database", exact=False).first.click()
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_text("is paused: nothing more starts").is_visible()
    assert client.limits.get("pool:database").paused
    for path in VIEWS.values():
        page.goto(site + path)
        assert page.locator("h1").is_visible()
    context.close()


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG defines it."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

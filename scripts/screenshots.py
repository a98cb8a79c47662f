"""Take the pictures of the README from a running demo: watch it, decide twice, watch it go back.

    python scripts/screenshots.py --console http://127.0.0.1:8800 --person maria:PASSWORD --person jonas:PASSWORD

Waits until a decision is asked for, so start it beside `make demo`. The two people must be able to reach the quorum.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import TimeoutError as TooLong

SIZE = {"width": 1280, "height": 860}
REASON = "Answers state things that are not so; customers act on them."


def main() -> int:
    arguments = _arguments()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium found; install one and try again", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            _tell(browser, arguments)
        except TooLong as error:
            print(f"the demo did not get there within {arguments.within} s: {error}", file=sys.stderr)
            return 1
        finally:
            browser.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--console", default="http://127.0.0.1:8800", help="address of the running console")
    parser.add_argument("--person", action="append", required=True, metavar="ACCOUNT:PASSWORD", help="give it twice")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="where the pictures go")
    parser.add_argument("--within", type=int, default=600, metavar="SECONDS", help="patience for each step")
    found = parser.parse_args()
    if len(found.person) != 2 or not all(":" in person for person in found.person):
        parser.error("--person is needed twice, each as ACCOUNT:PASSWORD")
    return found


def _tell(browser: Browser, arguments: argparse.Namespace) -> None:
    """The story of one rollback, a picture at each point."""
    patience = arguments.within * 1000
    first, second = (_signed_in(browser, arguments.console, person) for person in arguments.person)
    page, out = first.new_page(), arguments.out
    page.goto(arguments.console)
    decide = page.get_by_role("link", name="Read and decide").first
    decide.wait_for(timeout=patience)
    _take(page, out, "overview")
    incident = page.locator("#running a[href^='/incidents/']").first.get_attribute("href") or "/"
    release = page.locator("#watched a[href^='/releases/']").first.get_attribute("href") or "/"
    page.goto(arguments.console + release)
    page.locator(".plot canvas").first.wait_for()
    _take(page, out, "release")
    page.goto(arguments.console)
    decide.click()
    _take(page, out, "decision")
    ask = page.url
    _approve(page)
    other = second.new_page()
    other.goto(ask)
    _approve(other)
    page.goto(arguments.console + incident)
    page.locator(".stage").nth(1).get_by_text(re.compile("soaking|setting|completed")).wait_for(timeout=patience)
    _take(page, out, "rollback")
    page.locator("#now .chip", has_text="reverted").wait_for(timeout=patience)
    _take(page, out, "closed", whole=True)
    page.goto(arguments.console + "/ledger/verify")
    _take(page, out, "ledger")


def _signed_in(browser: Browser, console: str, person: str) -> BrowserContext:
    account, _, password = person.partition(":")
    context = browser.new_context(viewport=SIZE, device_scale_factor=2)
    page = context.new_page()
    page.goto(f"{console}/sign-in")
    page.get_by_label("Account").fill(account)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()
    page.close()
    return context


def _approve(page: Page) -> None:
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Approve the rollback").click()
    page.locator("#votes .chip").first.wait_for()


def _take(page: Page, out: Path, name: str, *, whole: bool = False) -> None:
    """One picture in light and one in dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two it accepts
        page.wait_for_timeout(400)  # charts are drawn anew in the colours of the scheme
        path = out / f"{name}-{scheme}.png"
        page.screenshot(path=path, full_page=whole)
        print(path)


if __name__ == "__main__":
    sys.exit(main())

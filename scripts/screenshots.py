"""Take the pictures of the README from a demo: watch a release, decide twice, watch it go back.

    python -m scripts.screenshots
    python -m scripts.screenshots --console http://127.0.0.1:8800 --person maria:PASSWORD --person jonas:PASSWORD

Without arguments it starts a demo of its own and ends it afterwards. With `--console` it uses a running one that
asks, or is about to ask, for a decision which the two people can make.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright
from playwright.sync_api import TimeoutError as TooLong

SIZE: ViewportSize = {"width": 1280, "height": 860}
REASON = "Answers state things that are not so; customers act on them."


def main() -> int:
    arguments = _arguments()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium found; install one and try again", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    with _console(arguments) as (address, people), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            _tell(browser, address, people, arguments.out, arguments.within * 1000)
        except TooLong as error:
            print(f"the demo did not get there within {arguments.within} s: {error}", file=sys.stderr)
            return 1
        finally:
            browser.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--console", help="address of a running console; without it a demo is started")
    parser.add_argument("--person", action="append", default=[], metavar="ACCOUNT:PASSWORD", help="give it twice")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="where the pictures go")
    parser.add_argument("--within", type=int, default=600, metavar="SECONDS", help="patience for each step")
    found = parser.parse_args()
    if found.console and (len(found.person) != 2 or not all(":" in person for person in found.person)):
        parser.error("with --console, --person is needed twice, each as ACCOUNT:PASSWORD")
    return found


@contextmanager
def _console(arguments: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """(address, people as account:password) of the given console, or of a demo that ends with the block."""
    if arguments.console:
        yield arguments.console, arguments.person
        return
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "countermand.cli", "demo", "--data", f"{data}/demo"]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            yield _read_demo(demo)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=60)


def _read_demo(demo: subprocess.Popen[str]) -> tuple[str, list[str]]:
    """What a demo prints when it asks for a decision. Raises SystemExit when it ends before."""
    address, people = "", []
    for line in demo.stdout or ():
        print(line, end="")
        if found := re.search(r"(http://\S+)/asks/", line):
            address = found[1]
        if found := re.search(r"account (\S+) (\S+)", line):
            people.append(f"{found[1]}:{found[2]}")
        if address and len(people) == 2:
            return address, people
    raise SystemExit("the demo ended before it asked for a decision")


def _tell(browser: Browser, console: str, people: list[str], out: Path, patience: int) -> None:
    """The story of one rollback, a picture at each point."""
    first, second = (_signed_in(browser, console, person) for person in people)
    page = first.new_page()
    page.goto(console)
    decide = page.get_by_role("link", name="Read and decide").first
    decide.wait_for(timeout=patience)
    _take(page, out, "overview")
    incident = page.locator("#running a[href^='/incidents/']").first.get_attribute("href") or "/"
    release = page.locator("#watched a[href^='/releases/']").first.get_attribute("href") or "/"
    page.goto(console + release)
    page.locator(".plot canvas").first.wait_for()
    _take(page, out, "release")
    page.goto(console)
    decide.click()
    _take(page, out, "decision")
    ask = page.url
    _approve(page)
    other = second.new_page()
    other.goto(ask)
    _approve(other)
    page.goto(console + incident)
    page.locator(".stage").nth(2).get_by_text("soaking").wait_for(timeout=patience)
    _take(page, out, "incident")


def _signed_in(browser: Browser, console: str, person: str) -> BrowserContext:
    account, _, password = person.partition(":")
    context = browser.new_context(viewport=SIZE, device_scale_factor=1.5)
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


def _take(page: Page, out: Path, name: str) -> None:
    """One picture in light, one in dark."""
    for scheme, path in (("light", out / f"{name}.png"), ("dark", out / f"{name}-dark.png")):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two it accepts
        page.wait_for_timeout(400)  # charts are drawn anew in the colours of the scheme
        page.screenshot(path=path)
        print(path)


if __name__ == "__main__":
    sys.exit(main())

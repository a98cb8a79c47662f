from tests.console.conftest import *
from tests.console.world import *
from tests import cases
import os

OUT = "/tmp/shots"
os.makedirs(OUT, exist_ok=True)


async def test_shots(serve, sign_in):
    ask = f"/asks/{INCIDENT}-ask-1"
    plan = [
        (
            "asked",
            Story.asked,
            [
                ("overview", "/"),
                ("release", f"/releases/{RELEASE}"),
                ("incident", f"/incidents/{INCIDENT}"),
                ("ask", ask),
                ("ledger", "/ledger"),
                ("record", "/ledger/3"),
                ("verify", "/ledger/verify"),
                ("missing", "/nope"),
            ],
        ),
        (
            "soaking",
            Story.soaking,
            [
                ("overview", "/"),
                ("release", f"/releases/{RELEASE}"),
                ("incident", f"/incidents/{INCIDENT}"),
                ("ask", ask),
            ],
        ),
        (
            "reverted",
            Story.reverted,
            [
                ("overview", "/"),
                ("release", f"/releases/{RELEASE}"),
                ("incident", f"/incidents/{INCIDENT}"),
                ("review", f"/reviews/{INCIDENT}"),
            ],
        ),
        ("empty", None, [("overview", "/")]),
    ]
    only = os.environ.get("ONLY", "")
    modes = os.environ.get("MODES", "light,dark,narrow").split(",")
    for name, moment, pages in plan:
        pages = [p for p in pages if not only or f"{name}-{p[0]}" in only.split(",")]
        if not pages:
            continue
        served = await serve(moment)
        for mode in modes:
            opt = {
                "light": dict(color_scheme="light"),
                "dark": dict(color_scheme="dark"),
                "narrow": dict(color_scheme="light", viewport={"width": 320, "height": 800}),
            }[mode]
            p = await sign_in(served, cases.MARIA, **opt)
            for n, path in pages:
                await p.open(path)
                await p.page.wait_for_timeout(600)
                w = await p.page.locator("html").evaluate("e=>e.scrollWidth")
                if mode == "narrow" and w > 320:
                    print("OVERFLOW", name, n, w)
                await p.page.screenshot(path=f"{OUT}/{name}-{n}-{mode}.png", full_page=True)
            print(p.complaints)
    served = await serve(None)
    p = await sign_in(served, None)
    await p.open("/")
    await p.page.screenshot(path=f"{OUT}/signin.png")

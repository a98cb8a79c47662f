"""From a click to a decision that counts and a card that says so, beside a bare signed Update of the same run.

The whole product runs: Temporal's development server with its database file, worker and console, each in a process of
its own; Slack is the emulator of the tests, behind a proxy that notes when a call came. Times are of this machine's one
clock: when the person pressed, when the server accepted the Update, when Slack was told to edit the card.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import httpx

from adapters.database import utc_now
from adapters.slack_links import SlackLinks, SlackUser
from bench.requests import Installation, Press, Request, accepted_after, installed
from bench.slack_clicks import CLICKS, REASON, Slack
from countermand.governance.decision import Actor, Decision, DecisionKind
from tests import cases
from tests.slack.human import SECRET
from tests.slack.proxy import Proxy
from tests.slack.workspace import BOT_TOKEN, TEAM, Workspace
from tests.slack.workspace import installed as emulator
from workflows.decisions import UPDATE, Answer

Row = tuple[str, str, str, str]
#: Requests decided over HTTP, and how often each is approved and taken back.
REQUESTS, ROUNDS = 4, 25
#: Requests that two people approve in Slack.
IN_SLACK = 8
_SLACK_ROWS = ("click → accepted, Slack", "click → card edited, Slack", f"answer to Slack, {CLICKS} clicks at once")


def measured() -> list[Row]:
    """Rows for the table of `make bench`; those of Slack only where the emulator is installed."""
    return asyncio.run(_measured())


async def _measured() -> list[Row]:
    program = emulator()
    with tempfile.TemporaryDirectory() as folder:
        if program is None:
            async with installed(Path(folder)) as product:
                client = await product.start()
                http, floor = await _decide(product, await product.ask(client, REQUESTS))
            why = "the Slack emulator is not installed (npm ci)"
            return [_row("click → accepted, HTTP", http, floor), *((name, "not run", why, "") for name in _SLACK_ROWS)]
        workspace = Workspace.start(program, Path(folder))
        proxy = Proxy(workspace.url)
        await proxy.start()
        try:
            async with installed(Path(folder)) as product:
                return await _with_slack(product, workspace, proxy)
        finally:
            await proxy.stop()
            workspace.stop()


async def _with_slack(product: Installation, workspace: Workspace, proxy: Proxy) -> list[Row]:
    channel = workspace.new_channel("releases", ("maria", "jonas"))
    _configure(product, proxy, channel)
    links = SlackLinks(product.database, utc_now)
    for name, subject in (("maria", cases.MARIA), ("jonas", cases.JONAS)):
        await links.confirm(await links.offer(SlackUser(team_id=TEAM, user_id=workspace.users[name])), subject)
    client = await product.start()
    requests = await product.ask(client, IN_SLACK + REQUESTS)
    async with httpx.AsyncClient(trust_env=False, timeout=30, limits=httpx.Limits(max_connections=CLICKS)) as http:
        slack = Slack(product, workspace, proxy, channel, http)
        await slack.posted(len(requests))
        accepted, edited = await slack.decide(requests[:IN_SLACK])
        answered, bare = await slack.bursts(requests[IN_SLACK])
    over_http, floor = await _decide(product, requests[IN_SLACK:])
    return [
        _row("click → accepted, HTTP", over_http, floor),
        _row(_SLACK_ROWS[0], accepted, floor),
        _row(_SLACK_ROWS[1], edited, floor),
        _row(_SLACK_ROWS[2], answered, bare, f"{CLICKS} × /healthz at once"),
    ]


def _configure(product: Installation, proxy: Proxy, channel: str) -> None:
    place = product.place
    place.secret("slack-bot.token", BOT_TOKEN)
    place.secret("slack-signing.secret", SECRET)
    (place.data / "slack.yaml").write_text(
        f"teams: [{TEAM}]\nchannel: {channel}\napi_url: {proxy.url}\n"
        "bot_token_file: keys/slack-bot.token\nsigning_secret_files: [keys/slack-signing.secret]\n"
    )


# --- over HTTP, and the floor -------------------------------------------------------------------------------------


async def _decide(product: Installation, requests: Sequence[Request]) -> tuple[list[float], list[float]]:
    """Seconds until the server accepted each decision: (through the console, as a bare signed Update), in turns."""
    ours: list[Press] = []
    floor: list[Press] = []
    there_and_back = (DecisionKind.approve, DecisionKind.retract)
    async with httpx.AsyncClient(base_url=product.place.console_url, trust_env=False, timeout=30) as http:
        who = {"subject": cases.MARIA, "password": product.passwords[cases.MARIA]}
        token = (await http.post("/api/v1/login", json=who)).raise_for_status().json()["token"]
        http.headers["Authorization"] = f"Bearer {token}"
        for _ in range(ROUNDS):
            for request in requests:
                ours += [await _through_the_console(http, request, kind) for kind in there_and_back]
                floor += [await _bare(product, request, kind) for kind in there_and_back]
    return await accepted_after(ours), await accepted_after(floor)


async def _through_the_console(http: httpx.AsyncClient, request: Request, kind: DecisionKind) -> Press:
    shown = (await http.get(f"/api/v1/asks/{request.ask_id}")).raise_for_status().json()
    vote = {
        "kind": kind.value,
        "approval_digest": request.approval_digest,
        "view_sha256": shown["view_sha256"],
        "reason": REASON,
    }
    press = Press(request, str(uuid.uuid4()), time.time())
    path, headers = f"/api/v1/asks/{request.ask_id}/decisions", {"Idempotency-Key": press.decision_id}
    (await http.post(path, json=vote, headers=headers)).raise_for_status()
    return press


async def _bare(product: Installation, request: Request, kind: DecisionKind) -> Press:
    """The same decision, signed before and sent straight to Temporal."""
    decision = Decision(
        decision_id=str(uuid.uuid4()),
        kind=kind,
        addressed_to=request.approval.id,
        incident_id=request.incident_id,
        ask_id=request.ask_id,
        approval_digest=request.approval_digest,
        reason=REASON,
        actor=Actor(
            subject=cases.MARIA, printed_name="Maria Keller", principal="person", roles=("safety_lead",),
            role_source="file", role_as_of=utc_now(),
        ),
        channel="api",
        acr="local",
        view_sha256=None,
        decided_at=utc_now(),
        gateway_key_id=product.key.key_id,
    )  # fmt: skip
    signed = product.key.sign(decision)
    press = Press(request, decision.decision_id, time.time())
    await request.approval.execute_update(UPDATE, signed, id=decision.decision_id, result_type=Answer)
    return press


# --- figures ----------------------------------------------------------------------------------------------------------


def _row(name: str, ours: Sequence[float], floor: Sequence[float], floor_name: str = "bare signed Update") -> Row:
    ratio = statistics.median(ours) / statistics.median(floor)
    return f"{name} (n={len(ours)})", _figures(ours), f"{floor_name}: {_figures(floor)}", f"{ratio:.1f} × at p50"


def _figures(seconds: Sequence[float]) -> str:
    """`p50 12 ms, p99 40 ms`; of fewer than a hundred values p99 is the largest."""
    ranked = sorted(seconds)
    p99 = ranked[max(math.ceil(0.99 * len(ranked)) - 1, 0)]
    return f"p50 {statistics.median(ranked) * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms"

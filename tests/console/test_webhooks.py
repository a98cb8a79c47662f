"""Messages of other systems over real HTTP: hostile, truncated, unsigned, replayed, and while the store is down."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from adapters.alert_values import MAX_TEXT
from adapters.alerts import SqlAlerts
from adapters.database import Database
from adapters.source_settings import AlertmanagerSettings, WebhookSettings
from console.limits import PER_MINUTE, Limits
from countermand.canonical import instant
from tests import cases
from tests.console.conftest import Served
from tests.console.world import BASE, RELEASE, Story

Serve = Callable[..., Awaitable[Served]]

PAGER = {"kind": "alertmanager", "release_label": "release", "version_label": "version", "environment_label": "env"}
SECRETS = [f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in range(3)]


def a_message(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "receiver": "countermand",
        "status": "firing",
        "alerts": alerts,
        "groupLabels": {},
        "truncatedAlerts": 0,
        "aFieldOfTheFuture": {"x": 1},
    } | changes


def an_alert(number: int = 0, labels: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    about = {"alertname": "HighErrorRate", "release": RELEASE, "env": "production"}
    return {
        "status": "firing",
        "labels": about | (labels or {}),
        "annotations": {"summary": "too many errors"},
        "startsAt": "2026-11-20T03:14:07.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": f"{number:016x}",
    } | changes


class Sender:
    """Another system, and a person who looks at what arrived from it."""

    def __init__(self, served: Served, http: httpx.AsyncClient, token: str, person: str) -> None:
        self.served, self.http = served, http
        self._token, self._person = token, person

    @property
    def now(self) -> datetime:
        return self.served.world.deps.clock()

    def change(self, **parts: Any) -> None:
        """Give the running console other dependencies."""
        state = self.served.server.config.app.state  # type: ignore[union-attr]
        state.console = replace(state.console, **parts)

    async def alertmanager(self, body: object, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self._token}"} | headers
        return await self.http.post("/api/v1/signals/alertmanager", content=content, headers=sent)

    async def alerts(self, **query: str) -> dict[str, Any]:
        found = await self.http.get("/api/v1/alerts", params=query, headers={"Authorization": f"Bearer {self._person}"})
        body: dict[str, Any] = found.raise_for_status().json()
        return body

    async def signed(
        self,
        payload: object,
        name: str = "msg-1",
        secret: str = SECRETS[0],
        at: datetime | None = None,
        *,
        sent: bytes | None = None,
        source: str = "hook",
        **headers: str | None,
    ) -> httpx.Response:
        """Deliver a payload signed by the library of the specification. `sent`: other bytes than were signed."""
        body = payload if isinstance(payload, str) else json.dumps(payload)
        at = (at or self.now).replace(microsecond=0)
        signature = Webhook(secret).sign(name, at, body)
        known: dict[str, str | None] = {
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }
        return await self.http.post(
            f"/api/v1/signals/webhook/{source}",
            content=body.encode() if sent is None else sent,
            headers={name: value for name, value in (known | headers).items() if value is not None},
        )


@pytest.fixture
async def sender(serve: Serve, tmp_path: Path) -> AsyncIterator[Sender]:
    served = await serve(Story.registered)
    accounts = served.world.deps.accounts
    token, person = await accounts.issue_source_token("pager"), await accounts.issue_person_token(cases.MARIA)
    files = [tmp_path / "old", tmp_path / "new"]
    for file, secret in zip(files, SECRETS, strict=False):
        file.write_text(secret + "\n")
    hook = {
        "kind": "webhook",
        "secret_files": files,
        "release_label": "release",
        "mapping": [
            {
                "when": {"/type": "score"},
                "each": "/scores",
                "output": {
                    "observation_id": {"at": "/id"},
                    "release_id": {"payload_at": "/release"},
                    "arm": {"at": "/variant", "choices": {"new": "candidate", "old": "baseline"}},
                    "signal": {"const": "hallucinations"},
                    "event_time": {"at": "/at", "type": "unix_milliseconds"},
                    "outcome": {"at": "/passed", "type": "boolean", "choices": {"true": "ok", "false": "bad"}},
                },
            },
            {
                "when": {"/type": "alert"},
                "alert": {
                    "name": {"at": "/rule~1name"},
                    "id": {"at": "/id", "type": "integer", "low": 1},
                    "starts_at": {"at": "/at", "type": "time"},
                    "fires_for": "10m",
                    "labels": {"release": {"at": "/tags/0"}},
                },
            },
        ],
    }
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
        found = Sender(served, http, token.token, person.token)
        found.change(
            sources={
                "pager": AlertmanagerSettings.model_validate(PAGER),
                "hook": WebhookSettings.model_validate(hook),
            }
        )
        yield found


# --- Alertmanager ---------------------------------------------------------------------------------------------


async def test_a_thousand_alerts_with_hostile_labels_are_stored_capped_and_come_back_as_data(sender: Sender) -> None:
    hostile = {"who": "<!channel> <script>", "rtl": "\u202efdp.exe", "long": "x" * 10_000, "nul": "a\x00b"}
    alerts = [an_alert(n, hostile | {"pod": str(n)}) for n in range(1_000)]
    answer = (await sender.alertmanager(a_message(*alerts, truncatedAlerts=5))).json()
    assert (answer["accepted"], answer["repeated"], answer["rejected"]) == (1_000, 0, [])
    assert "5 alerts were left out" in answer["partial"]
    again = (await sender.alertmanager(a_message(*alerts))).json()
    assert (again["accepted"], again["repeated"]) == (0, 1_000)
    listed = await sender.alerts(state="firing", release_id=RELEASE)
    assert len(listed["items"]) == 200, "the newest 200 are shown"
    assert listed["sources"][1]["partial"] == answer["partial"]
    labels = listed["items"][0]["labels"]
    assert labels["who"] == hostile["who"]
    assert labels["rtl"] == hostile["rtl"]
    assert len(labels["long"]) == MAX_TEXT + 1
    assert labels["nul"] == "a\ufffdb"


async def test_each_alert_is_judged_alone_and_a_refused_one_makes_the_source_partial(sender: Sender) -> None:
    wrong = [an_alert(1, status="on fire"), an_alert(2, startsAt="yesterday"), an_alert(3, labels=None, fingerprint=7)]
    answer = (await sender.alertmanager(a_message(an_alert(0), *wrong))).json()
    assert answer["accepted"] == 1
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [(1, "schema"), (2, "schema"), (3, "schema")]
    assert "'on fire'" in answer["rejected"][0]["detail"]
    assert "3 alerts of a message were refused" in answer["partial"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "not_json"),
        (b"[]", 422, "schema"),
        (json.dumps(a_message(version="3")).encode(), 422, "schema"),
        (json.dumps(a_message(an_alert(status="on fire"))).encode(), 422, "all_rejected"),
        (b" " * (16 * 1024 * 1024 + 1), 413, "too_large"),
    ],
)
async def test_a_message_that_is_refused_is_not_sent_again_so_the_source_becomes_partial(
    sender: Sender, body: bytes, status: int, code: str
) -> None:
    answer = await sender.alertmanager(body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "a message was refused" in (await sender.alerts())["sources"][1]["partial"]


_REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (_REDIRECT, "was answered 302"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "was answered 500"),
        (_OK + b'{"data": []}', "has another form"),
        (_OK + b" " * 9_000_000, "is over 8388608 bytes"),
        (_OK.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n") + b"[", "had no answer"),
        (b"", "had no answer"),
        (None, "had no answer: TimeoutError"),
        (_OK + b"[]", "0 of them were found firing"),
    ],
)
async def test_only_the_address_from_the_settings_is_asked_once_and_its_failures_make_the_source_partial(
    sender: Sender, answer: bytes | None, why: str
) -> None:
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split()[1])
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/am/"
    settings = AlertmanagerSettings.model_validate(PAGER | {"url": url, "time_limit": "300ms" if not answer else "5s"})
    sender.change(sources={"pager": settings})
    message = a_message(an_alert(), truncatedAlerts=5, externalURL="http://127.0.0.1:1/elsewhere")
    told = await sender.alertmanager(message)
    server.close()
    assert (told.status_code, told.json()["accepted"]) == (202, 1)
    assert why in told.json()["partial"]
    assert asked == ["/am/api/v2/alerts"]


async def test_resolved_is_recorded_and_firing_with_the_same_start_afterwards_fires_again(sender: Sender) -> None:
    ends = "2026-11-20T03:14:19Z"
    told = []
    for alert in (
        an_alert(),
        an_alert(),
        an_alert(status="resolved", endsAt=ends),
        an_alert(status="resolved", endsAt=ends),
        an_alert(),
        an_alert(status="resolved", endsAt=ends),
    ):
        accepted = (await sender.alertmanager(a_message(alert))).json()["accepted"]
        (item,) = (await sender.alerts())["items"]
        told.append((accepted, item["status"], item["ends_at"]))
    firing, over = ("firing", None), ("resolved", "2026-11-20T03:14:19.000000Z")
    assert told == [(1, *firing), (0, *firing), (1, *over), (0, *over), (1, *firing), (1, *over)]


async def test_an_alert_that_fits_no_watched_release_is_kept_and_listed_and_matches_once_it_can(sender: Sender) -> None:
    unfit = [
        an_alert(1, {"release": "nobody-knows"}),
        an_alert(2, {"env": "staging"}),
        an_alert(3, {"version": "support-assistant v6"}),
        an_alert(4, labels={"release": ""}),
        an_alert(5, {"alertname": "Watchdog", "release": "none"}),
    ]
    fit = [an_alert(6), an_alert(7, {"version": "support-assistant v7"})]
    assert (await sender.alertmanager(a_message(*unfit, *fit))).json()["unmatched"] == 4
    listed = (await sender.alerts(state="unmatched"))["items"]
    why = {item["labels"]["release"]: item["unmatched"] for item in listed}
    assert why["nobody-knows"] == "no watched release fits release='nobody-knows', env='production'"
    assert len(listed) == 4
    assert len((await sender.alerts(release_id=RELEASE))["items"]) == 2


async def test_a_token_limited_to_another_release_cannot_speak_about_this_one(sender: Sender) -> None:
    accounts = sender.served.world.deps.accounts
    sender._token = (await accounts.issue_source_token("pager", releases=["another"])).token
    assert (await sender.alertmanager(a_message(an_alert()))).json()["unmatched"] == 1


async def test_only_a_source_that_is_configured_as_an_alertmanager_may_send(sender: Sender) -> None:
    nobody = await sender.alertmanager(a_message(an_alert()), Authorization="Bearer nonsense")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated")
    sender._token = (await sender.served.world.deps.accounts.issue_source_token("judge")).token
    other = await sender.alertmanager(a_message(an_alert()))
    assert (other.status_code, other.json()["code"]) == (403, "not_an_alertmanager")
    unsigned = await sender.http.get("/api/v1/alerts", headers={"Authorization": f"Bearer {sender._token}"})
    assert unsigned.status_code == 401, "a source may not read"
    assert (await sender.alerts())["items"] == []


async def test_while_the_store_is_down_senders_are_asked_to_try_again(sender: Sender, tmp_path: Path) -> None:
    gone = Database(f"sqlite+aiosqlite:///{tmp_path / 'nowhere' / 'none.db'}")
    sender.change(alerts=SqlAlerts(gone))
    answer = await sender.alertmanager(a_message(an_alert()))
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    refused = await sender.signed(an_event())
    assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
    sender.change(alerts=sender.served.world.deps.alerts)
    assert (await sender.signed(an_event())).json()["accepted"] == 1, "the same delivery again"
    assert (await sender.alertmanager(a_message(an_alert()))).json()["accepted"] == 1
    await gone.close()


async def test_a_source_that_sends_too_often_is_told_when_to_come_back(sender: Sender) -> None:
    now = sender.now
    sender.change(clock=lambda: now)
    limits = Limits()
    sender.served.server.config.app.state.limits = limits  # type: ignore[union-attr]
    for _ in range(PER_MINUTE - 1):
        limits.take("pager", now)
    assert (await sender.alertmanager(a_message())).status_code == 202
    answer = await sender.alertmanager(a_message())
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "rate_limited", "1")
    assert (await sender.signed(an_event())).status_code == 202, "other sources are not held up"
    sender.change(clock=lambda: now + timedelta(seconds=1))
    assert [(await sender.alertmanager(a_message())).status_code for _ in range(11)] == [202] * 10 + [429]


# --- signed webhooks ------------------------------------------------------------------------------------------


def scores(*passed: bool, variant: str = "new", **changes: Any) -> dict[str, Any]:
    at = int((BASE + timedelta(milliseconds=1)).timestamp() * 1_000)
    items = [{"id": f"s-{n}", "variant": variant, "at": at, "passed": good} for n, good in enumerate(passed)]
    return {"type": "score", "release": RELEASE, "scores": items} | changes


def an_event(**changes: Any) -> dict[str, Any]:
    return {"type": "alert", "rule/name": "Drift", "id": 17, "at": instant(BASE), "tags": [RELEASE]} | changes


@pytest.fixture
def takes_scores(sender: Sender) -> Sender:
    """The playbook of the story takes its signals from `judge`: the hook is that source."""
    sources = sender.served.server.config.app.state.console.sources  # type: ignore[union-attr]
    sender.change(sources={"judge": sources["hook"]})
    return sender


async def test_a_signed_payload_becomes_outputs_by_the_mapping(takes_scores: Sender) -> None:
    answer = await takes_scores.signed(scores(True, False), source="judge")
    assert (answer.status_code, answer.json()) == (
        202,
        {"accepted": 2, "duplicates": 0, "late": 0, "unmatched": 0, "problems": []},
    )


async def test_a_signed_payload_becomes_an_alert_that_ends_by_itself(sender: Sender) -> None:
    for n, wrong in enumerate(("17", 0, True, 1.5)):
        assert "/id" in (await sender.signed(an_event(id=wrong), f"wrong-{n}")).json()["problems"][0]
    answer = await sender.signed(an_event(), "msg-2")
    assert (answer.json()["accepted"], answer.json()["unmatched"]) == (1, 0)
    (alert,) = (await sender.alerts(release_id=RELEASE))["items"]
    assert (alert["name"], alert["releases"]) == ("Drift", [RELEASE])
    assert alert["ends_at"] == instant(BASE + timedelta(minutes=10))


async def test_the_same_delivery_a_hundred_times_is_taken_once_and_gets_its_first_answer(takes_scores: Sender) -> None:
    first = await takes_scores.signed(scores(True, False), source="judge")
    for n in range(99):
        again = await takes_scores.signed(scores(True, False), at=BASE + timedelta(seconds=n % 60), source="judge")
        assert (again.status_code, again.json()) == (202, first.json())
    other = await takes_scores.signed(scores(True, True), source="judge")
    assert (other.status_code, other.json()["code"]) == (409, "delivery_conflict")
    new_id = await takes_scores.signed(scores(True, False), "msg-2", source="judge")
    assert (new_id.json()["accepted"], new_id.json()["duplicates"]) == (0, 2)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_delivery_without_one_of_the_headers_is_refused(sender: Sender, missing: str) -> None:
    answer = await sender.signed(an_event(), **{missing: None})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(("seconds", "status"), [(-301, 401), (-299, 202), (299, 202), (301, 401)])
async def test_a_timestamp_counts_for_five_minutes(sender: Sender, seconds: int, status: int) -> None:
    now = sender.now.replace(microsecond=0)
    sender.change(clock=lambda: now)
    answer = await sender.signed(an_event(), at=now + timedelta(seconds=seconds))
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"webhook-signature": "v1,AAAA"}, "no"),
        ({"webhook-signature": "v1a,AAAA"}, "another version"),
        ({"webhook-signature": "v1,not base64 at all"}, "no base64"),
        ({"webhook-id": "msg-2"}, "the id is signed"),
        ({"webhook-timestamp": str(int(datetime(2026, 11, 20, 3, 14, tzinfo=UTC).timestamp()))}, "the time is signed"),
        ({"webhook-timestamp": "NaN"}, "no time"),
    ],
)
async def test_a_signature_over_anything_else_is_refused(sender: Sender, changes: dict[str, str], why: str) -> None:
    answer = await sender.signed(an_event(), **changes)
    assert answer.status_code == 401, why


async def test_the_raw_bytes_are_signed_not_what_they_mean(sender: Sender) -> None:
    reencoded = json.dumps(an_event(), separators=(",", ":")).encode()
    assert (await sender.signed(an_event(), sent=reencoded)).status_code == 401
    assert (await sender.signed(an_event(), source="nobody")).status_code == 401
    assert (await sender.signed(an_event(), source="pager")).status_code == 401
    assert (await sender.alerts())["items"] == []


async def test_both_secrets_count_while_they_rotate_and_no_other(sender: Sender, tmp_path: Path) -> None:
    assert [(await sender.signed(an_event(), f"m-{n}", secret)).status_code for n, secret in enumerate(SECRETS)] == [
        202, 202, 401,
    ]  # fmt: skip
    both = f"{Webhook(SECRETS[2]).sign('m-9', sender.now, 'x')} {Webhook(SECRETS[1]).sign('m-9', BASE, '{}')}"
    two = {"webhook-signature": both, "webhook-timestamp": str(int(BASE.timestamp()))}
    assert (await sender.signed("{}", "m-9", **two)).status_code == 202
    (tmp_path / "old").write_text(SECRETS[2])
    assert (await sender.signed(an_event(), "m-10", SECRETS[0])).status_code == 401
    assert (await sender.signed(an_event(), "m-11", SECRETS[2])).status_code == 202
    (tmp_path / "old").write_text("whsec_c2hvcnQ=")
    short = await sender.signed(an_event(), "m-12", SECRETS[1])
    assert (short.status_code, short.json()["code"]) == (503, "secret_unusable")
    assert "c2hvcnQ" not in short.text


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("not json", "the payload is not JSON"),
        ({"type": "something else"}, "no rule of the mapping fits this payload"),
        (scores(), "/scores: [] is not a list of 1 to 5000 items"),
        (scores(True, variant="canary"), "item 0: /variant: 'canary' is not one of 'new', 'old'"),
        (an_event(at="2026-11-20T03:14:07"), "item 0: /at: '2026-11-20T03:14:07' is not a time with its zone"),
        (an_event(tags=[]), "item 0: /tags/0: there is no '0'"),
    ],
)
async def test_a_payload_that_is_not_understood_is_kept_and_shown_with_the_reason(
    sender: Sender, payload: object, why: str
) -> None:
    answer = await sender.signed(payload)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["unmatched"]) == (202, 0, 1)
    (kept,) = (await sender.alerts(state="unmatched"))["items"]
    assert kept["status"] == "unmapped"
    assert why in kept["unmatched"]
    assert kept["annotations"]["payload"] == (payload if isinstance(payload, str) else json.dumps(payload))


async def test_items_that_the_intake_refuses_are_shown_and_the_others_count(takes_scores: Sender) -> None:
    mixed = scores(True, True, False)
    mixed["scores"][1]["at"] += 3_600_000
    mixed["scores"][2]["passed"] = "no"
    answer = (await takes_scores.signed(mixed, source="judge")).json()
    assert (answer["accepted"], answer["unmatched"]) == (1, 1)
    assert answer["problems"][0] == "item 2: /passed: 'no' is not of type boolean"
    assert answer["problems"][1].startswith("items 1: future:")

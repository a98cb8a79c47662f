"""What other systems post in their own form: Alertmanager's messages and signed webhooks (SRC-16…22, SRC-27…29).

2xx comes after the durable write, 503 asks for a retry, and 4xx is for what a retry cannot heal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json
from sqlalchemy.exc import SQLAlchemyError

from activities.signal_ports import Batch, BatchAnswer, BatchConflict, Rejected
from adapters.accounts import SIGNALS_WRITE
from adapters.alert_values import Alert, Delivered, Labels, Unmapped
from adapters.alertmanager import Unreadable, firing
from adapters.source_settings import AlertmanagerSettings, WebhookSettings
from adapters.webhook_deliveries import DeliveryConflict
from adapters.webhook_mapping import Mapped, mapped
from console.deps import Console, console
from console.intake import MAX_BODY, inflated, read_body, source_token
from console.limits import limited
from console.problems import Problem
from console.webhook_signature import read_secrets, verified

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

#: A refused message is not sent again, so this is far more than a thousand alerts need.
MAX_MESSAGE = 16 * 1024 * 1024


class _Posted(BaseModel):
    """What we use of a message has its form; fields that a newer Alertmanager adds are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _PostedAlert(_Posted):
    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    starts_at: Annotated[AwareDatetime, Field(alias="startsAt")]
    ends_at: Annotated[AwareDatetime | None, Field(alias="endsAt")] = None
    fingerprint: str

    def alert(self) -> Alert:
        """While it fires, its end is a guess or the zero time; both are left out, as the zero time of others is."""
        ended = self.status == "resolved" and self.ends_at is not None and self.ends_at.year > 1
        fields = {name: getattr(self, name) for name in Alert.model_fields}
        return Alert(**fields | {"ends_at": self.ends_at if ended else None})


class _Message(_Posted):
    version: Literal["4"]
    receiver: str
    alerts: list[Any]
    group_labels: Annotated[dict[str, str], Field(alias="groupLabels")] = {}
    truncated_alerts: Annotated[int, Field(alias="truncatedAlerts", ge=0)] = 0


@router.post("/api/v1/signals/alertmanager", status_code=202)
async def alertmanager(request: Request, deps: Deps) -> JSONResponse:
    """Store what an Alertmanager says about its alerts, each for itself. Repetitions change nothing.

    `{accepted, repeated, unmatched, rejected, partial}`; `partial` says why the message was not all there is.
    """
    with _store():
        token = await source_token(request, deps)
        settings = deps.sources.get(token.subject)
        if not isinstance(settings, AlertmanagerSettings):
            raise Problem(
                403,
                "not_an_alertmanager",
                f"Source {token.subject!r} is not of kind alertmanager in the sources file.",
                "Add it there with the labels that name a release, and start the console again.",
            )

        def may(release_id: str, environment: str) -> bool:
            return token.allows(SIGNALS_WRITE, release_id=release_id, environment=environment)

        limited_to = may if token.releases is not None or token.environments is not None else None
        try:
            delivered = await _delivered(request, settings)
        except Problem as problem:
            # Nobody sends it again, so from now on the absence of alerts is not good news.
            lost = Delivered(partial=f"a message was refused: {problem.detail}")
            await deps.alerts.add(token.subject, lost, settings, deps.clock(), may=limited_to)
            raise
        answer = await deps.alerts.add(token.subject, delivered, settings, deps.clock(), may=limited_to)
    return JSONResponse(answer.model_dump(mode="json"), status_code=202)


async def _delivered(request: Request, settings: AlertmanagerSettings) -> Delivered:
    """What a message holds, with what it left out as far as that can be read. Raises 400, 413 and 422."""
    try:
        message = _Message.model_validate_json(await inflated(request, MAX_MESSAGE))
    except ValidationError as error:
        malformed = error.errors()[0]["type"] == "json_invalid"
        code = "not_json" if malformed else "schema"
        raise Problem(400 if malformed else 422, code, _first(error), "Send Alertmanager's version 4.") from error
    alerts, rejected = [], []
    for index, posted in enumerate(message.alerts):
        try:
            alerts.append(_PostedAlert.model_validate(posted).alert())
        except ValidationError as error:
            rejected.append(Rejected(index=index, code="schema", detail=_first(error)))
    if rejected and not alerts:
        raise Problem(422, "all_rejected", f"None of the {len(rejected)} alerts was accepted; {rejected[0].detail}")
    rest, partial = await _rest(settings, message, alerts)
    if rejected:
        partial = f"{len(rejected)} alerts of a message were refused; {rejected[0].detail}"
    return Delivered(alerts=(*alerts, *rest), rejected=tuple(rejected), partial=partial)


async def _rest(
    settings: AlertmanagerSettings, message: _Message, alerts: list[Alert]
) -> tuple[tuple[Alert, ...], str | None]:
    """The alerts that a message left out, and why some are still missing (SRC-19)."""
    if not message.truncated_alerts:
        return (), None
    left_out = f"{message.truncated_alerts} alerts were left out of a message"
    if settings.url is None:
        return (), f"{left_out}, and the source's settings name no `url` to read them from"
    try:
        read = await firing(settings, message.receiver, message.group_labels)
    except Unreadable as error:
        return (), f"{left_out}, and {error}"
    known = {alert.fingerprint for alert in alerts}
    rest = tuple(alert for alert in read if alert.fingerprint not in known)
    if len(rest) < message.truncated_alerts:
        return rest, f"{left_out}; {len(rest)} of them were found firing"
    return rest, None


@router.post("/api/v1/signals/webhook/{source}", status_code=202)
async def webhook(source: str, request: Request, deps: Deps) -> JSONResponse:
    """Store what a signed payload says, by the mapping of its source. The same delivery again gets the first answer.

    `{accepted, duplicates, late, unmatched, problems}`; what could not be understood is kept and shown to people.
    """
    raw = await read_body(request, MAX_BODY)
    settings = deps.sources.get(source)
    secrets = await read_secrets(settings.secret_files) if isinstance(settings, WebhookSettings) else []
    delivery_id = verified(secrets, request.headers, raw, deps.clock())
    assert isinstance(settings, WebhookSettings)  # noqa: S101  # nothing verifies without a secret
    limited(request, source, deps.clock())
    body_sha256 = hashlib.sha256(raw).hexdigest()
    with _store():
        try:
            answer = await deps.deliveries.claim(source, delivery_id, body_sha256, deps.clock())
            if answer is None:
                fresh = await _take(deps, source, settings, delivery_id, raw)
                answer = await deps.deliveries.answer(source, delivery_id, fresh)
        except (DeliveryConflict, BatchConflict) as error:
            raise Problem(409, "delivery_conflict", str(error), "Give new content a new webhook-id.") from error
    return JSONResponse(answer, status_code=202)


async def _take(deps: Console, source: str, settings: WebhookSettings, delivery_id: str, raw: bytes) -> dict[str, Any]:
    """Store what a payload holds. Done twice it changes nothing: ids, blocks and alerts have keys of their own."""
    found = _mapped(settings, raw)
    batch = Batch(
        batch_id=f"webhook/{delivery_id}",
        body_sha256=hashlib.sha256(raw).hexdigest(),
        items=found.outputs,
        counts=found.counted,
    )
    taken = BatchAnswer(batch_id=batch.batch_id, accepted=0, duplicates=0, late=0, rejected=())
    if batch.items or batch.counts:
        taken = await deps.signals.add(source, batch, deps.clock(), may=_anywhere)
    problems = [*found.misfits, *(f"{one.part} {one.index}: {one.code}: {one.detail}" for one in taken.rejected)]
    unmapped = None
    if problems:
        text = raw.decode(errors="replace")
        unmapped = Unmapped(delivery_id=delivery_id, why="; ".join(problems[:3])[:500], payload=text)
    delivered = Delivered(
        alerts=found.alerts,
        unmapped=unmapped,
        partial=f"a payload was not understood: {found.misfits[0]}" if found.about_alerts and found.misfits else None,
    )
    said = await deps.alerts.add(source, delivered, settings, deps.clock(), may=None)
    return {
        "accepted": taken.accepted + said.accepted,
        "duplicates": taken.duplicates + said.repeated,
        "late": taken.late,
        "unmatched": said.unmatched,
        "problems": problems[:20],
    }


def _mapped(settings: WebhookSettings, raw: bytes) -> Mapped:
    try:
        payload = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        return Mapped(misfits=(f"the payload is not JSON: {error}",))
    return mapped(settings.mapping, payload)


def _anywhere(_release_id: str, _environment: str) -> bool:
    """A secret belongs to one source; what it may feed is decided by the playbooks that name the source."""
    return True


@contextmanager
def _store() -> Iterator[None]:
    """Turns a store that is down into 503: nothing was kept, and the sender tries again."""
    try:
        yield
    except SQLAlchemyError as error:
        detail = "The store is not available; nothing was kept."
        raise Problem(503, "store_unavailable", detail, "Send again.") from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    where = "/".join(str(part) for part in first["loc"])
    return f"{where or 'body'}: {first['msg']} (got {repr(first['input'])[:100]})"

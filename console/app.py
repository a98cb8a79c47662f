"""The console as one ASGI application: pages, JSON API, intake and live updates under one set of security headers."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.ledger_checks import shown, stopping
from adapters.selfcheck import selfcheck
from console import (
    api,
    api_adoptions,
    api_alerts,
    api_cadence,
    api_compare,
    api_emergencies,
    api_episodes,
    api_evidence,
    api_inclusive,
    api_investigations,
    api_ledger,
    api_lessons,
    api_messages,
    api_obligations,
    api_rehearsals,
    api_retention,
    api_reviews,
    api_rollouts,
    api_standing,
    api_thresholds,
    api_versions,
    api_watch,
    codec,
    intake,
    live,
    pages,
    problems,
    webhooks,
)
from console.attending import attending
from console.auth import SignInNeeded
from console.deps import Console
from console.duties import duties_check
from console.guards import guards
from console.ladders import ladders
from console.payload_keys_check import payload_keys_check
from console.people_check import people_check
from console.problems import Problem
from console.render import REHEARSAL
from console.strip import STRIP
from console.targets_check import targets_check
from console.temporal import OutcomeUnknown
from countermand import __version__
from countermand.governance.decision import Refused

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(deps: Console) -> FastAPI:
    """The application over one set of dependencies. Opens nothing by itself."""
    app = FastAPI(
        title="Countermand",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.console = deps
    for error in (Problem, Refused, OutcomeUnknown):
        app.add_exception_handler(error, problems.answer)
    app.add_exception_handler(SignInNeeded, _to_sign_in)
    app.add_exception_handler(RequestValidationError, problems.invalid)
    app.add_exception_handler(HTTPException, pages.http_error)

    app.add_middleware(_SecurityHeaders)
    app.add_middleware(_Rehearsal, deps=deps)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """Ready when the database passes its self-check and Temporal answers.

        What nobody can decide and targets that do not answer are listed beside them; they are no reason to take the
        console away from people.
        """
        checks = [check.model_dump(mode="json") for check in await selfcheck(deps.database)]
        if all(check["ok"] for check in checks):
            checks += [check.model_dump(mode="json") for check in await stopping(deps.database, deps.settings)]
        temporal = await deps.workflows.ready()
        checks.append({"name": "temporal", "ok": temporal, "sentence": "answers" if temporal else "does not answer"})
        ready = all(check["ok"] for check in checks)
        checks.append(await people_check(deps))
        checks.append(await payload_keys_check(deps))
        checks.append(await duties_check(deps))
        checks += await targets_check(deps)
        if ready:  # shown only: an overdue ladder is no reason to take the console away from people who must decide
            checks.append(await ladders(deps))
            checks.append(await guards(deps))
            checks.append(await attending(deps))
            checks += [
                check.model_dump(mode="json") for check in await shown(deps.database, deps.settings, deps.clock())
            ]
        return JSONResponse({"ready": ready, "checks": checks}, status_code=200 if ready else 503)

    app.include_router(api.router)
    app.include_router(api_adoptions.router)
    app.include_router(api_episodes.router)
    app.include_router(api_reviews.router)
    app.include_router(api_watch.router)
    app.include_router(api_alerts.router)
    app.include_router(api_cadence.router)
    app.include_router(api_emergencies.router)
    app.include_router(api_evidence.router)
    app.include_router(api_inclusive.router)
    app.include_router(api_investigations.router)
    app.include_router(api_ledger.router)
    app.include_router(api_lessons.router)
    app.include_router(api_messages.router)
    app.include_router(api_obligations.router)
    app.include_router(api_rehearsals.router)
    app.include_router(api_rollouts.router)
    app.include_router(api_standing.router)
    app.include_router(api_thresholds.router)
    app.include_router(api_retention.router)
    app.include_router(api_versions.router)
    app.include_router(api_compare.router)
    app.include_router(intake.router)
    app.include_router(webhooks.router)
    app.include_router(codec.router)
    app.include_router(live.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    return app


class _Rehearsal:
    """Lets every page know whether it is of a rehearsal."""

    def __init__(self, app: ASGIApp, deps: Console) -> None:
        self._app = app
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        REHEARSAL.set(self._deps.settings.is_rehearsal)
        STRIP.set(getattr(scope["app"].state, "strip", None) if "app" in scope else None)
        await self._app(scope, receive, send)


class _SecurityHeaders:
    """Sets HEADERS on every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-cache"  # kept, but asked about with its ETag every time
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


async def _to_sign_in(_: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)  # noqa: S101  # registered for nothing else
    return RedirectResponse(error.location, status_code=303)

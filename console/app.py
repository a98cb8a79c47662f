"""The console as one ASGI application: pages, JSON API, intake and live updates under one set of security headers."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint

from adapters.selfcheck import selfcheck
from console import api, api_alerts, api_watch, intake, live, pages, problems, webhooks
from console.auth import SignInNeeded
from console.deps import Console
from console.problems import Problem
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

    @app.middleware("http")
    async def security_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        if request.url.path.startswith("/static/"):
            response.headers["Cache-Control"] = "no-cache"  # kept, but asked about with its ETag every time
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """Ready when the database passes its self-check and Temporal answers."""
        checks = [check.model_dump(mode="json") for check in await selfcheck(deps.database)]
        temporal = await deps.workflows.ready()
        checks.append({"name": "temporal", "ok": temporal, "sentence": "answers" if temporal else "does not answer"})
        ready = all(check["ok"] for check in checks)
        return JSONResponse({"ready": ready, "checks": checks}, status_code=200 if ready else 503)

    app.include_router(api.router)
    app.include_router(api_watch.router)
    app.include_router(api_alerts.router)
    app.include_router(intake.router)
    app.include_router(webhooks.router)
    app.include_router(live.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    return app


async def _to_sign_in(_: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)  # noqa: S101  # registered for nothing else
    return RedirectResponse(error.location, status_code=303)

"""One assistant of the demo as a plain HTTP service; it knows nothing of splits, of Envoy or of the other one.

`python -m examples.envoy.assistant --arm candidate --port 8101` listens on loopback until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse

from aiohttp import web
from countermand.detection.models import Arm

from examples.demo.bundles import BASELINE, CANDIDATE, Served

_SERVED = {Arm.candidate: CANDIDATE, Arm.baseline: BASELINE}
# Longer than Envoy keeps idle connections: see envoy.yaml.
_KEEP_IDLE_SECONDS = 75.0


def application(arm: Arm, served: Served) -> web.Application:
    """`POST /chat` answers a question, `GET /healthz` says whether a plain one is answered."""
    headers = {"x-release-arm": arm.value, "x-release-digest": served.bundle.digest}

    async def chat(request: web.Request) -> web.Response:
        asked = await request.json()
        answer = served.assistant.answer(request.headers["x-user-id"], asked["question"])
        return web.json_response({"answer": answer}, headers=headers)

    async def health(_: web.Request) -> web.Response:
        return web.Response(status=200 if served.answers() else 503, headers=headers)

    app = web.Application()
    app.router.add_post("/chat", chat)
    app.router.add_get("/healthz", health)
    return app


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="One assistant behind plain HTTP.")
    parser.add_argument("--arm", type=Arm, choices=list(Arm), required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    app = application(options.arm, _SERVED[options.arm])
    web.run_app(
        app,
        host="127.0.0.1",
        port=options.port,
        print=None,
        access_log=None,
        keepalive_timeout=_KEEP_IDLE_SECONDS,
        shutdown_timeout=1,
    )


if __name__ == "__main__":
    main()

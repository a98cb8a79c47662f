"""Runs in `.venv-routers`: what an OpenFeature provider gives to users, asked line by line (file, then numbers)."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main(path: str) -> None:
    """For every number read: who of so many users gets which variant, and the generation of the flag."""
    from openfeature import api
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.provider import ProviderStatus

    api.set_provider(FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=path, deadline_ms=50))
    client = api.get_client()
    until = time.monotonic() + 10
    while client.get_provider_status() is not ProviderStatus.READY and time.monotonic() < until:
        time.sleep(0.01)
    for line in sys.stdin:
        served: dict[str, list[int]] = {}
        generation: Any = None
        for number in range(int(line)):
            details = client.get_object_details("assistant", {}, EvaluationContext(f"user-{number}"))
            served.setdefault(str(details.variant), []).append(number)
            generation = details.flag_metadata.get("generation")
        sys.stdout.write(json.dumps({"served": served, "generation": generation}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])

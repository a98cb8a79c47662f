"""The two ways in which the product is set up for the benchmark: rules compiled from playbook fragments."""

from __future__ import annotations

from decimal import Decimal

from countermand.detection.rule import Rule
from countermand.detection.rules import compile_rules
from countermand.playbook.criteria import Detection


def recommended(usual: float) -> Rule:
    """ρ 1.2, m 5, α .01 in one lane, minutes as blocks, noise of independent outputs until it is measured."""
    return _rule(
        usual, {"severe": "none"}, {"dispersion": "1", "false_alarms": {"per_release": "0.01", "reserve": "0"}}
    )


def as_shipped(usual: float) -> Rule:
    """What a playbook gets that states the tolerance alone: a reserve, a severe lane, noise taken as 1.5 at first."""
    return _rule(usual, {}, {})


def _rule(usual: float, trigger: dict[str, object], common: dict[str, object]) -> Rule:
    detection = Detection.model_validate(
        {
            "block": "60s",
            "watch": "24h",
            "sustain": "5m",
            "lateness": "10s",
            "false_alarms": {"per_release": "0.01"},
            **common,
            "signals": {
                "failures": {
                    "kind": "rate",
                    "bad": "higher",
                    "expect": str(Decimal(str(usual))),
                    "family": "model_quality",
                    "meaning": "outputs that a judge marks as bad",
                    "source": "judge",
                    "unit": "output",
                    "show": "per_10000",
                }
            },
            "triggers": [
                {
                    "id": "failures",
                    "severity": "sev2",
                    "protects": {"kind": "user_impact", "what": "people who ask"},
                    "any": [{"signal": "failures", "tolerate": {"ratio": "1.2"}}],
                    **trigger,
                }
            ],
        }
    )
    return compile_rules(detection)[0]

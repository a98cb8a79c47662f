"""All rules of the benchmark, by the name that tables and plots print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.detection.rules import (
    burn_rate,
    change_points,
    core,
    fixed_limits,
    mann_whitney,
    mixtures,
    repeated_tests,
)
from bench.detection.traffic import Floats, Traffic


@dataclass(frozen=True)
class Rival:
    """A rule under comparison.

    judge: minutes until it fires, per watch, infinite if it never does. slow: judged on fewer watches. ours: is it the
    product? says: what it does, in one line.
    """

    name: str
    judge: Callable[[Traffic], Floats]
    says: str
    slow: bool = False
    ours: bool = False


OURS = "Countermand"
SHIPPED = "Countermand, as shipped"

RULES = (
    Rival(OURS, core.countermand, "ρ 1.2, m 5, α .01, one lane, noise taken as independent until measured", ours=True),
    Rival(
        SHIPPED,
        core.countermand_as_shipped,
        "the same tolerance and nothing else stated: a reserve of a tenth, a severe lane, noise taken as 1.5 at first",
        ours=True,
    ),
    Rival("Argo-like, 1 m, limit 0", fixed_limits.argo_default, "> 1 % in one minute, once (the default limit)"),
    Rival("Argo-like, 1 m, limit 3", fixed_limits.argo_limit_3, "> 1 % in one minute, more than 3 times in all"),
    Rival("Argo-like, 5 m, limit 3", fixed_limits.argo_5_minutes, "> 1 % in 5 minutes, more than 3 times in all"),
    Rival(
        "Argo-like, 2x control",
        fixed_limits.argo_times_control,
        "> 2 times the control in 10 minutes, more than 2 times in all",
    ),
    Rival("3 in a row", fixed_limits.three_in_a_row, "> 1 % in three minutes in a row"),
    Rival("Flagger-like", fixed_limits.flagger_like, "5 minutes > 1 % or without data, in all"),
    Rival("Kayenta-like, hourly", mann_whitney.hourly, "Mann–Whitney judge on the last hour, every hour", slow=True),
    Rival(
        "Kayenta-like, 10 m",
        mann_whitney.every_ten_minutes,
        "the same judge, every 10 minutes on up to the last hour",
        slow=True,
    ),
    Rival("SRE burn rate", burn_rate.workbook, "14.4 times the budget in 1 h and 5 m, or 6 times in 6 h and 30 m"),
    Rival("SRE burn rate, 2x", burn_rate.scaled, "2 times the budget in 1 h and 5 m"),
    Rival("z-test peeked, 5 %", repeated_tests.peeked_5, "one-sided test on everything so far, every minute"),
    Rival("z-test peeked, 0.1 %", repeated_tests.peeked_01, "the same at 0.1 %"),
    Rival("O'Brien–Fleming, 1 %", repeated_tests.obrien_fleming, "24 hourly looks, 1 % in all, one-sided"),
    Rival("mSPRT, 1 %", mixtures.msprt, "normal mixture over the difference, τ = a quarter of the usual rate"),
    Rival("Lindon–Malek, 1 %", mixtures.lindon_malek, "Beta mixture on the bad outputs, weight 100"),
    Rival(
        "Page–Hinkley, tuned",
        change_points.page_hinkley_tuned,
        f"z-scored difference, δ {change_points.PAGE_HINKLEY_DELTA}, limit {change_points.PAGE_HINKLEY_LIMIT:g}",
    ),
    Rival("Page–Hinkley, defaults", change_points.page_hinkley_default, "river's defaults on the candidate's rate"),
    Rival(
        "ADWIN, tuned",
        change_points.adwin_tuned,
        f"z-scored difference, δ {change_points.ADWIN_DELTA}, looks every minute",
        slow=True,
    ),
    Rival("ADWIN, defaults", change_points.adwin_default, "river's defaults on the candidate's rate", slow=True),
)

"""How people write durations, shares and numbers in a playbook, and the exact values they become."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)")
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_duration(value: Any) -> timedelta:
    """`90s`, `5m`, `24h`, `7d` → timedelta. Raises ValueError that says what is accepted."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value))
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write a whole number and a unit: 500ms, 90s, 5m, 24h, 7d")
    try:
        return timedelta(milliseconds=int(match[1]) * _MILLISECONDS[match[2]])
    except OverflowError as error:
        raise ValueError(f"{value!r} is too long for a duration") from error


def _longer_than_nothing(value: timedelta) -> timedelta:
    if not value:
        raise ValueError(f"{format_duration(value)!r} is no time at all; write more than 0s")
    return value


def format_duration(value: timedelta) -> str:
    """The shortest exact form that `parse_duration` reads back: 1:30:00 → `90m`."""
    milliseconds = round(value / timedelta(milliseconds=1))
    if not milliseconds:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        if milliseconds % _MILLISECONDS[unit] == 0:
            return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
    return f"{milliseconds}ms"


def parse_number(value: Any) -> Decimal:
    """`0.01`, `"0.01"` or `1%` → Decimal. Booleans, NaN and infinities are refused."""
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number; write 0.01, '0.01' or 1%")
    text = str(value).strip()
    try:
        number = Decimal(text.removesuffix("%"))
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not a number; write 0.01, '0.01' or 1%") from error
    if not number.is_finite():
        raise ValueError(f"{value!r} is not finite; write 0.01, '0.01' or 1%")
    if number and abs(number.adjusted()) > 12:  # 1E-999999999 would become gigabytes in `plain`
        raise ValueError(f"{value!r} is too large or too close to 0 to be meant; write 0.01, '0.01' or 1%")
    return number / 100 if text.endswith("%") else number


def parse_basis_points(value: Any) -> int:
    """`10%` or `0.1` → 1000 basis points; 0 % to 100 %, at most two decimals of a percent."""
    points = parse_number(value) * 10_000
    if points != points.to_integral_value() or not 0 <= points <= 10_000:
        raise ValueError(f"{value!r} is not a share of users; write 0% to 100% with at most two decimals (or 0 to 1)")
    return int(points)


def format_percent(basis_points: int) -> str:
    """2_550 → `25.5 %`."""
    return (
        f"{Decimal(basis_points) / 100:f}".rstrip("0").rstrip(".") + " %"
        if basis_points % 100
        else (f"{basis_points // 100} %")
    )


def within(lowest: int, highest: int) -> AfterValidator:
    """A pydantic constraint on basis points whose message speaks in percent."""

    def check(points: int) -> int:
        if not lowest <= points <= highest:
            accepted = f"{format_percent(lowest)} to {format_percent(highest)}"
            raise ValueError(f"{format_percent(points)} is not accepted here; write {accepted}")
        return points

    return AfterValidator(check)


def plain(number: Decimal) -> str:
    """A decimal without exponent or trailing zeros: Decimal('1E+1') → `10`, 0.0100 → `0.01`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(ms|s|m|h|d)$", "examples": ["90s", "5m", "24h"]}),
]
Positive = Annotated[Duration, AfterValidator(_longer_than_nothing)]
Number = Annotated[
    Decimal,
    BeforeValidator(parse_number),
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9.]+%?$"}]}),
]
BasisPoints = Annotated[
    int,
    BeforeValidator(parse_basis_points),
    PlainSerializer(lambda points: f"{Decimal(points) / 100:f}%", return_type=str),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}]}),
]

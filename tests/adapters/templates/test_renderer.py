"""What the renderer guarantees whatever a template or a fact contains (COM-10, THR-15)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.templates import MAX_FACT, MAX_MESSAGE, MAX_SUBJECT, CannotRender, JinjaRenderer
from countermand.messages.fencing import visible
from countermand.playbook.model import Audience, Step

STEP, AUDIENCE = Step.incident_opened, Audience.operator


def renderer(directory: Path, body: str, subject: str = "s") -> JinjaRenderer:
    template = directory / "messages" / STEP.value / f"{AUDIENCE.value}.txt.j2"
    template.parent.mkdir(parents=True)
    template.write_text(f"Subject: {subject}\n\n{body}", encoding="utf-8")
    return JinjaRenderer(directory)


def rendered(directory: Path, body: str, facts: dict[str, object]) -> str:
    return renderer(directory, body).render(STEP, AUDIENCE, facts)[1]


def test_subject_and_text_are_told_apart(tmp_path: Path) -> None:
    subject, text = renderer(tmp_path, "Hello {{ name }}.\n\nBye.\n", "About {{ name }}").render(
        STEP, AUDIENCE, {"name": "Ada"}
    )
    assert (subject, text) == ("About Ada", "Hello Ada.\n\nBye.\n")


@pytest.mark.parametrize(
    "text", ["Hello\n\nBody\n", "Subject: one\nBody\n", "Subject: one\n", "\nSubject: one\n\nBody"]
)
def test_a_message_without_a_subject_line_is_refused(tmp_path: Path, text: str) -> None:
    made = renderer(tmp_path, "")
    path = tmp_path / "messages" / STEP.value / f"{AUDIENCE.value}.txt.j2"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CannotRender, match="first line"):
        JinjaRenderer(tmp_path).render(STEP, AUDIENCE, {})
    assert made.render(STEP, AUDIENCE, {}) == ("s", ""), "a running renderer keeps what it compiled"


@pytest.mark.parametrize(
    "body",
    [
        "{{ absent }}",
        "{% if absent %}{% endif %}",
        "{% for item in absent %}{% endfor %}",
        "{{ given.absent }}",
        "{{ nothing.absent }}",
        "{{ absent | join(', ') }}",
    ],
)
def test_a_missing_fact_is_an_error_that_names_the_template(tmp_path: Path, body: str) -> None:
    with pytest.raises(CannotRender, match=r"incident_opened/operator\.txt\.j2.*given are given, nothing"):
        rendered(tmp_path, body, {"given": {"here": 1}, "nothing": None})


@pytest.mark.parametrize("unknown", [None, {"a": 1}, ["a"], ()])
def test_an_unknown_or_a_raw_list_is_never_printed(tmp_path: Path, unknown: object) -> None:
    with pytest.raises(CannotRender, match="cannot be printed"):
        rendered(tmp_path, "{{ fact }}", {"fact": unknown})


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ 7 * 7 }}",
        "{% for x in 'ab' %}{{ x }}{% endfor %}",
        "<script>alert(1)</script> & 'quotes' \"too\"",
        "%s %(x)s {0} {x}",
    ],
)
def test_the_words_of_a_fact_stay_as_they_are(tmp_path: Path, hostile: str) -> None:
    assert (
        rendered(
            tmp_path,
            "[{{ fact }}] {{ facts | join(', ') }} {{ deep.er[0].er }}",
            {"fact": hostile, "facts": [hostile, "b"], "deep": {"er": [{"er": hostile}]}},
        )
        == f"[{hostile}] {hostile}, b {hostile}"
    )


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("safe\u202eevil", "safe<U+202E>evil"),
        ("a\nNext update: never", "a␊Next update: never"),
        ("a\r\tb\x00\x7f\x9b", "a␍␉b␀␡<U+009B>"),
        ("zero\u200bwidth\ufeff", "zero<U+200B>width<U+FEFF>"),
        ("half \ud83d", "half <U+D83D>"),
        ("Größe 🙂 שלום مرحبا", "Größe 🙂 שלום مرحبا"),
    ],
)
def test_what_people_cannot_see_is_made_visible(tmp_path: Path, hostile: str, shown: str) -> None:
    assert visible(hostile) == shown
    assert rendered(tmp_path, "{{ fact }}", {"fact": hostile}) == shown


def test_a_fact_cannot_forge_a_second_subject_line(tmp_path: Path) -> None:
    made = renderer(tmp_path, "Body", "{{ fact }}")
    assert made.render(STEP, AUDIENCE, {"fact": "a\n\nForged body"}) == ("a␊␊Forged body", "Body")


@pytest.mark.parametrize(
    "body",
    [
        "{{ ''.__class__ }}",
        "{{ given.__class__ }}",
        "{{ given.append(1) }}",
        "{{ given.clear() }}",
        "{{ range(3) }}",
        "{{ cycler }}",
        "{{ lipsum() }}",
        "{{ namespace() }}",
        "{{ dict(a=1) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format(given) }}",
        "{% include '../../../etc/passwd' %}",
    ],
)
def test_a_template_cannot_leave_its_facts(tmp_path: Path, body: str) -> None:
    with pytest.raises(CannotRender):
        rendered(tmp_path, body, {"given": ["x"]})


@pytest.mark.parametrize(
    "body",
    [
        "{{ given | attr('x') }}",
        "{{ given | safe }}",
        "{{ given | tojson }}",
        "{{ x is defined }}",
        "{% broken",
    ],
)
def test_a_template_with_a_filter_or_test_that_is_not_allowed_fails_at_the_start(tmp_path: Path, body: str) -> None:
    with pytest.raises(CannotRender, match=r"operator\.txt\.j2"):
        renderer(tmp_path, body)


@pytest.mark.parametrize(
    "body", ["{{ fact * 40 }}", "{{ 'a' * 5000000 }}", "{% for a in facts %}{{ fact }}{% endfor %}"]
)
def test_output_is_limited(tmp_path: Path, body: str) -> None:
    with pytest.raises(CannotRender, match="more than 65536 bytes"):
        rendered(tmp_path, body, {"fact": "ö" * MAX_FACT, "facts": ["x"] * (MAX_MESSAGE // MAX_FACT)})


def test_a_very_long_fact_is_cut_and_never_keeps_a_message_from_being_sent(tmp_path: Path) -> None:
    made = renderer(tmp_path, "{{ reason }}", "{{ reason }}")
    subject, text = made.render(STEP, AUDIENCE, {"reason": "a" * 10_000})
    assert text == "a" * (MAX_FACT - 1) + "…"
    assert subject == "a" * (MAX_SUBJECT - 1) + "…"


def test_a_step_without_a_template_is_an_error(tmp_path: Path) -> None:
    made = renderer(tmp_path, "x")
    with pytest.raises(CannotRender, match=r"all_clear/customer\.txt\.j2"):
        made.render(Step.all_clear, Audience.customer, {})

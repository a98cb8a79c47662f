"""No record body can keep what a person typed in the clear unnoticed (T15, EVD-26)."""

from __future__ import annotations

from collections.abc import Iterator

from countermand.governance.decision import DecisionKind
from countermand.ledger import bodies
from countermand.ledger.body import Body

#: Names that fields with words of people have.
NAMES = {"reason", "reasoning", "harm", "matter", "basis", "claim", "because", "why", "detail", "what", "note", "words"}
#: Fields of such a name that the product writes itself, and what stands there.
OURS = {
    "AskClosed.because": "how a request ended, from names and counts",
    "ConsentClosed.because": "how a request ended, from names and counts",
    "ReleaseClosed.why": "one of a few sentences of ours",
    "ReleaseRefused.because": "which list the version is on; it says no reason of a person",
    "FreezeFailed.reason": "what could not be frozen",
    "GateDecided.because": "what a check found",
    "InvestigationOpened.because": "which triggers fired, or that a person reported it; no word of theirs",
    "InvestigationOverridden.what": "a trigger, or the id of a decision",
    "PurgeCertificate.what": "texts, samples or sums",
    "RolloutTraffic.basis": "what the split was read from",
    "CommsFailed.why": "the kind of the failure of a channel",
}


def every(base: type[Body]) -> Iterator[type[Body]]:
    for one in base.__subclasses__():
        yield one
        yield from every(one)


def test_t15_every_field_that_may_hold_words_of_a_person_is_private_or_known_to_be_ours() -> None:
    assert bodies.HoldPlaced in set(every(Body))
    in_the_clear = {
        f"{body.__name__}.{name}"
        for body in every(Body)
        for name in body.model_fields
        if name in NAMES and f"/{name}" not in body.PRIVATE
    }
    assert in_the_clear == set(OURS)


def test_t15_every_private_pointer_names_a_field_and_every_author_too() -> None:
    for body in every(Body):
        for pointer in body.PRIVATE:
            assert pointer.removeprefix("/") in body.model_fields, (body, pointer)
        assert not body.AUTHOR or body.AUTHOR in body.model_fields, body


def test_t15_the_reason_of_a_consent_is_private_wherever_it_stands_in_the_document() -> None:
    for document, pointers in (
        ({"act": "release_hold", "because": "typed"}, {"/document/because"}),
        ({"act": "adopt", "deeper": {"because": "typed"}}, {"/document/deeper/because"}),
    ):
        body = bodies.ConsentOpened.model_construct(document=document)
        assert set(body.private()) == pointers


def test_t15_a_term_of_a_decision_is_private_unless_it_is_known_to_be_none() -> None:
    assert set(DecisionKind), "the kinds of decision share one body"
    typed = bodies.DecisionMade.model_fields["decision"].annotation.typed  # type: ignore[union-attr]
    decision = type("D", (), {"terms": {"a_new_term": "typed", "severity": "sev1"}})()
    assert typed(decision) == ("/reason", "/terms/a_new_term")

"""Every state word a page can show, with its icon and tone (CON-18, CON-30).

A word is the value of the enum or record field it comes from; a test compares them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Tone = Literal["good", "bad", "ask", "busy", "unknown", "quiet"]


class Mark(NamedTuple):
    """How a state is shown: icon and colour always stand beside the word."""

    icon: str
    tone: Tone
    meaning: str


MARKS: dict[str, Mark] = {
    # verdicts of a watch
    "ok": Mark("check", "good", "no evidence of harm so far"),
    "watch": Mark("eye", "ask", "possible harm, not yet enough to act on; the rollout is held"),
    "certified": Mark("check", "good", "shown to be healthy"),
    "not_yet": Mark("clock", "quiet", "not shown to be healthy yet"),
    "not_certified": Mark("unknown", "ask", "the time is over and health was not shown; a person decides"),
    "trigger": Mark("alarm", "bad", "enough evidence of harm to act"),
    "unknown": Mark("unknown", "unknown", "cannot be judged; never counted as healthy"),
    # watches without a verdict of now
    "over": Mark("dot", "quiet", "the watch reached its declared length"),
    "closed": Mark("dot", "quiet", "not watched any more"),
    # phases of an incident
    "opened": Mark("alarm", "bad", "the incident has just been opened"),
    "freezing": Mark("work", "busy", "evidence is copied before anything is changed"),
    "planning": Mark("work", "busy", "the way back is worked out from what the target says now"),
    "asking": Mark("people", "ask", "people decide whether to go back"),
    "reverting": Mark("back", "busy", "users are going back in stages"),
    "verifying": Mark("work", "busy", "waiting for positive evidence that the service is well"),
    "paused_for_investigation": Mark("people", "ask", "nobody is taken back until it is known who is treated worse"),
    "held": Mark("hold", "ask", "nothing is changed until a person says so"),
    "not_verified": Mark("unknown", "unknown", "rolled back, but not shown to be healthy"),
    # outcomes of an incident
    "reverted": Mark("check", "good", "rolled back and shown to be healthy"),
    "reverted_not_verified": Mark("unknown", "unknown", "rolled back, never shown to be healthy"),
    "rejected": Mark("cross", "quiet", "people decided against it"),
    "withdrawn": Mark("cross", "quiet", "the request was taken back"),
    "expired": Mark("clock", "bad", "nobody decided in time"),
    "aborted": Mark("cross", "bad", "a person stopped it where it was"),
    "reversed": Mark("back", "ask", "a person returned to the recorded state"),
    "adjusted": Mark("check", "good", "not rolled back; an adjusted version was registered instead"),
    "continued": Mark("eye", "ask", "looked into and left as it is, on a signed reason; watched more closely"),
    "unresolved": Mark("alarm", "bad", "nobody decided before the incident's time was over"),
    "unattended": Mark("alarm", "bad", "the record says it is open and nothing works on it any more"),
    # requests for approval and votes
    "pending": Mark("people", "ask", "waiting for people"),
    "approved": Mark("check", "good", "enough people approved"),
    "stale": Mark("clock", "quiet", "what was asked has changed; a new request follows"),
    "approve": Mark("check", "good", "a vote for"),
    "reject": Mark("cross", "bad", "a vote against"),
    "retract": Mark("back", "quiet", "a vote taken back"),
    # stages and checks
    "waiting": Mark("dot", "quiet", "not begun"),
    "setting": Mark("work", "busy", "the target is being set and read back"),
    "started": Mark("work", "busy", "begun"),
    "soaking": Mark("eye", "busy", "set and seen in traffic; watched before the next stage"),
    "completed": Mark("check", "good", "set, seen in traffic, all checks passed"),
    "resumed": Mark("work", "busy", "going on after a stop"),
    "stopped": Mark("alarm", "bad", "a doubt stopped it; people are asked"),
    "partial": Mark("alarm", "bad", "members of the bundle differ from each other now; people are asked"),
    "compensated": Mark("back", "bad", "one member did not follow, so the others were brought back"),
    "pass": Mark("check", "good", "passed"),
    "fail": Mark("cross", "bad", "failed"),
    "missing": Mark("unknown", "unknown", "nothing is on record; never counted as passed"),
    # consents and standing authorisations
    "given": Mark("check", "good", "everybody it needs has signed"),
    "refused": Mark("cross", "bad", "somebody said no"),
    "lapsed": Mark("clock", "quiet", "its time or its signatures do not hold; people are asked instead"),
    "in_force": Mark("check", "good", "signed and valid now; whether it covers a plan is judged for each plan"),
    "revoked": Mark("cross", "bad", "a person took it back"),
    # proposed changes of thresholds
    "backtesting": Mark("work", "busy", "it is judged by what was recorded before"),
    "shadowing": Mark("eye", "busy", "judged beside the version in force; it acts on nothing"),
    "signing": Mark("people", "ask", "people decide whether it is adopted"),
    "comparing": Mark("eye", "busy", "in force; after 30 days it is compared with what was predicted"),
    "adopted": Mark("check", "good", "people signed it; new releases name it"),
    "failed": Mark("alarm", "bad", "it could not be judged; nothing changed"),
    "inside": Mark("check", "good", "what was predicted is what happened, as far as chance explains"),
    "outside": Mark("alarm", "ask", "other than predicted, or nothing is known; a person has to look"),
    # rollouts and their steps
    "planned": Mark("dot", "quiet", "not begun"),
    "running": Mark("work", "busy", "it goes on: users get it step by step, or a clock runs"),
    "watched": Mark("eye", "busy", "set, and watched until it is shown to be healthy"),
    "healthy": Mark("check", "good", "shown to be healthy"),
    "not_set": Mark("cross", "bad", "the target was not changed"),
    "done": Mark("check", "good", "every step was shown to be healthy"),
    "doubtful": Mark("unknown", "ask", "not shown to be healthy; everybody has what they had before"),
    "handed_over": Mark("alarm", "bad", "an incident takes over"),
    "lost": Mark("back", "ask", "nobody watched any more, so the target went back by itself"),
    "not_started": Mark("clock", "quiet", "it has not begun"),
    # versions
    "eligible": Mark("check", "good", "users may be sent to it: it served before and is on no list"),
    "denied": Mark("cross", "bad", "a person put it on the deny list"),
    "too_old": Mark("clock", "ask", "it was last known to serve longer ago than this organisation accepts"),
    "quarantined": Mark("alarm", "bad", "an incident put it into quarantine; only a re-release ends that"),
    "breach": Mark("alarm", "bad", "a version in quarantine serves users again"),
    "guarded": Mark("eye", "quiet", "the target is looked at, so that the bad version does not come back unseen"),
    "blind": Mark("unknown", "unknown", "the target cannot be read, so that nobody would see it come back"),
    "guard_over": Mark("dot", "quiet", "the time to look for it is over"),
    "ready": Mark("check", "good", "the way back was open when it was last looked at"),
    "not_ready": Mark("alarm", "bad", "users could not go back when it was last looked at"),
    # the ledger's head
    "anchored_outside": Mark("check", "good", "somebody outside of this database holds its signed head"),
    "not_anchored": Mark("unknown", "unknown", "nobody outside of this database holds its signed head"),
    "forked": Mark("alarm", "bad", "a place outside holds another history; nothing is sealed until that is resolved"),
    "not_covered": Mark("clock", "quiet", "no checkpoint covers it yet; the next one does, within about a minute"),
    # reviews
    "signed": Mark("check", "good", "signed by everyone it needs"),
    "overdue": Mark("clock", "bad", "its time is over"),
    "waived": Mark("cross", "quiet", "the safety lead decided that no review is held, and why"),
    # actions of reviews
    "open": Mark("dot", "busy", "has still to be done"),
    "done_unverified": Mark("eye", "ask", "said to be done; nobody has shown it yet"),
    "verified": Mark("check", "good", "the stated check was run, and its result is attached"),
    "dropped": Mark("cross", "quiet", "decided that it is not done, and why"),
    # duties
    "asked": Mark("people", "ask", "people are asked to do it now"),
    "due": Mark("clock", "ask", "it is to be done now"),
    "coming": Mark("clock", "quiet", "it is new here and not due yet"),
    "on_time": Mark("check", "good", "it was done, and is not due yet"),
    "skipped": Mark("cross", "ask", "a person left it out this time and said why"),
    "missed": Mark("alarm", "bad", "it did not take place"),
    "clean": Mark("check", "good", "everything was looked at and nothing was found"),
    "findings": Mark("eye", "ask", "something was found that a person has to look at"),
    # reporting clocks; `running` and `not_started` are words of rollouts too
    "scope_not_declared": Mark("unknown", "unknown", "nobody declared whether this reaches the organisation"),
    "not_in_force": Mark("dot", "quiet", "shown as information, not computed"),
    "not_applicable": Mark("dot", "quiet", "does not apply here, as somebody declared or stated"),
    "anchor_missing": Mark("unknown", "ask", "it happened, but nobody recorded when; no time is counted"),
    "tolled": Mark("hold", "ask", "an authority gave a delay"),
    "filed": Mark("check", "good", "a report is recorded"),
    "set_aside": Mark("cross", "quiet", "a person decided not to report here"),
    "undecided": Mark("people", "ask", "nobody decided yet whether this is reported"),
    "yes": Mark("check", "busy", "decided: it is reported"),
    "no": Mark("cross", "quiet", "decided: it is not reported"),
}


def mark(state: str) -> Mark:
    """The mark of a state word. Raises KeyError for a word nobody explained."""
    return MARKS[state]

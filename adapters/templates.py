"""Messages and the review draft from Jinja templates.

Two things about Jinja shape this file (COM-10). Its sandbox limits what a template reaches, not how much it
writes, so output is counted. And HTML autoescape would write `&#39;` into plain text, so Jinja escapes
nothing: every fact is made harmless for its kind of output before a template sees it. Text keeps `<` and `&`
(who puts it into HTML or Slack escapes it there); in Markdown no part of a fact is left that could be markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from countermand.canonical import digest_bytes
from countermand.messages.fencing import visible
from countermand.playbook.model import Audience, Playbook, Step

MAX_MESSAGE = 64 * 1024
MAX_REVIEW = 1024 * 1024
#: Longer texts are cut, so that a very long reason or error cannot keep a mandatory message from being sent.
MAX_FACT = 2_000
MAX_SUBJECT = 200
FILTERS = frozenset({"join"})

_MARKUP = re.compile(r"[\\`*\[\]|#]")


class CannotRender(ValueError):
    """A template or a fact is missing, or the text is too long. Trying again cannot help."""


class JinjaRenderer:
    """The Renderer over a directory with `messages/<step>/<audience>.txt.j2` and `review/draft.md.j2`.

    All templates are compiled when it is made; a broken one raises CannotRender then, not in an incident.
    """

    def __init__(self, directory: Path) -> None:
        self._environment = _environment(directory)
        self._names = frozenset(self._environment.list_templates(extensions=["j2"]))
        #: sha256 of every template's bytes by its name, as compiled here.
        self.digests: dict[str, str] = {}
        for name in sorted(self._names):
            try:
                self._environment.get_template(name)
            except TemplateError as error:
                raise CannotRender(f"template {name!r} in {str(directory)!r}: {error}") from error
            self.digests[name] = digest_bytes((directory / name).read_bytes())

    def render(self, step: Step, audience: Audience, facts: Mapping[str, object]) -> tuple[str, str]:
        """(subject, text) for one audience at one step. Raises CannotRender if a fact is missing or None."""
        name = _message(step, audience)
        head, separator, body = self._text(name, facts, str, MAX_MESSAGE).partition("\n\n")
        if not head.startswith("Subject: ") or "\n" in head or not separator:
            raise CannotRender(f"template {name!r}: the first line is `Subject: …`, the second is empty")
        return _cut(head.removeprefix("Subject: "), MAX_SUBJECT), body

    def render_review(self, facts: Mapping[str, object]) -> str:
        """The draft of a review in Markdown. Raises CannotRender when a fact is missing or None."""
        return self._text("review/draft.md.j2", facts, _without_markup, MAX_REVIEW)

    def render_public_summary(self, facts: Mapping[str, object]) -> str:
        """The public summary of an investigation in Markdown. Raises CannotRender when a fact is missing or None."""
        return self._text("public/investigation.md.j2", facts, _without_markup, MAX_REVIEW)

    def render_draft(self, template: str, facts: Mapping[str, object]) -> str:
        """The draft of a report from `obligations/<template>.txt.j2`. Raises CannotRender."""
        return self._text(f"obligations/{template}.txt.j2", {"f": facts}, str, MAX_REVIEW)

    def lacks(self, playbook: Playbook) -> list[tuple[Step, Audience]]:
        """The messages a playbook promises for which there is no template."""
        return [
            (rule.step, audience)
            for rule in playbook.communications
            for audience in rule.audiences
            if _message(rule.step, audience) not in self._names
        ]

    def _text(self, name: str, facts: Mapping[str, object], escape: Callable[[str], str], most: int) -> str:
        parts: list[str] = []
        size = 0
        try:
            for part in self._environment.get_template(name).generate(_each(facts, escape)):
                size += len(part.encode())
                if size > most:
                    raise CannotRender(f"template {name!r} writes more than {most} bytes")
                parts.append(part)
        except TemplateError as error:
            raise CannotRender(f"template {name!r}: {error}; given are {', '.join(sorted(facts))}") from error
        return "".join(parts)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _without_markup(text: str) -> str:
    entities = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\g<0>", entities)


def _each(value: object, escape: Callable[[str], str]) -> object:
    match value:
        case str():
            return escape(_cut(visible(value), MAX_FACT))
        case Mapping():
            return {key: _each(item, escape) for key, item in value.items()}
        case list() | tuple():
            return [_each(item, escape) for item in value]
        case _:
            return value


def _message(step: Step, audience: Audience) -> str:
    return f"messages/{step.value}/{audience.value}.txt.j2"


def _environment(directory: Path) -> Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(directory),
        undefined=StrictUndefined,
        autoescape=False,
        finalize=_known,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


def _known(value: object) -> object:
    """An unknown printed as `None` or a raw list would be a defect nobody notices (COM-7)."""
    if value is None or isinstance(value, Mapping | list | tuple):
        raise CannotRender(f"{value!r} cannot be printed; a template names texts and numbers only")
    return value

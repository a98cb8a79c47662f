"""The page of the signal taxonomy, in a browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from countermand.playbook.taxonomy import taxonomy
from tests import cases
from tests.console.conftest import Person, Served


async def test_every_definition_has_a_card_and_names_to_read_beside_it_lead_to_theirs(
    serve: Callable[..., Awaitable[Served]], sign_in: Callable[..., Awaitable[Person]]
) -> None:
    person = await sign_in(await serve(), cases.MARIA)
    await person.open("/signals")
    assert await person.page.locator("article").count() == len(taxonomy())
    card = person.page.locator("article").filter(has=person.page.locator("h3#signal-implausible_approval"))
    assert "higher is worse" in await card.inner_text()
    await card.get_by_role("link", name="moderation failures").click()
    assert person.page.url.endswith("#signal-moderation_failures")


async def test_it_fits_a_narrow_telephone(
    serve: Callable[..., Awaitable[Served]], sign_in: Callable[..., Awaitable[Person]]
) -> None:
    person = await sign_in(await serve(), cases.MARIA, viewport={"width": 320, "height": 700})
    await person.open("/signals")
    assert await person.page.locator("html").evaluate("page => page.scrollWidth") <= 320

"""The channels file says what is wrong with it, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.channel_settings import ChannelSettings, channel_settings
from adapters.settings import Settings, SettingsInvalid
from countermand.playbook.model import Audience

MAIL = (
    "kind: smtp, host: mail.ops.example, port: 587, security: starttls, sender: c@ops.example, "
    "recipients: {operator: [a@ops.example]}"
)


def written(tmp_path: Path, channel: str, routes: str = "{}") -> Path:
    file = tmp_path / "channels.yaml"
    file.write_text(f"channels:\n  one: {{{channel}}}\nroutes: {routes}\n")
    return file


def test_the_file_is_named_by_a_setting_and_lies_in_the_data_directory() -> None:
    assert Settings.from_environment({"COUNTERMAND_DATA": "/data"}).channels == Path("/data/channels.yaml")
    named = Settings.from_environment({"COUNTERMAND_CHANNELS": "/etc/channels.yaml"})
    assert named.channels == Path("/etc/channels.yaml")


def test_without_a_file_or_with_an_empty_one_there_are_no_channels(tmp_path: Path) -> None:
    assert channel_settings(tmp_path / "channels.yaml") == ChannelSettings()
    (tmp_path / "channels.yaml").write_text("")
    assert channel_settings(tmp_path / "channels.yaml") == ChannelSettings()


def test_a_route_keeps_the_order_in_which_it_was_written(tmp_path: Path) -> None:
    hook = "two: {kind: webhook, url: 'https://pager.example/v1?x=1', secret_file: s}"
    file = tmp_path / "channels.yaml"
    file.write_text(f"channels:\n  one: {{{MAIL}}}\n  {hook}\nroutes: {{operator: [two, one]}}\n")
    assert channel_settings(file).routes == {Audience.operator: ("two", "one")}


@pytest.mark.parametrize(
    ("channel", "routes", "says"),
    [
        (f"{MAIL}, html: true", "{}", "channels.one.smtp.html"),
        (MAIL.replace("starttls", "none"), "{}", "security `none` is for 127.0.0.1, ::1, localhost"),
        (f"{MAIL}, username: me", "{}", "`username` and `password_file` belong together"),
        (f"{MAIL}, ca_file: /missing.pem", "{}", "channels.one.smtp.ca_file"),
        (f"{MAIL}, time_limit: 0s", "{}", "channels.one.smtp.time_limit"),
        (f"{MAIL}, password: hunter2", "{}", "channels.one.smtp.password"),
        (MAIL.replace("a@ops.example", '"a@ops.example, b@ops.example"'), "{}", "recipients.operator.0"),
        (MAIL.replace("a@ops.example", '"a@ops.example\\r\\nDATA"'), "{}", "recipients.operator.0"),
        (MAIL.replace("c@ops.example", "Countermand <c@ops.example>"), "{}", "channels.one.smtp.sender"),
        (MAIL, "{customer: [one]}", "routes.customer: channel 'one' has no `recipients` for 'customer'"),
        (MAIL, "{operator: []}", "routes.operator"),
        (MAIL, "{everybody: [one]}", "routes.everybody"),
        ("kind: fax", "{}", "channels.one"),
        *[
            (f"kind: webhook, secret_file: s, url: '{url}'", "{}", "channels.one.webhook.url")
            for url in (
                "http://status.example/hook",
                "http://127.0.0.1.evil.example/",
                "https://user:word@status.example/",
                "https://status.example#@evil.example",
                "http://localhost:1@evil.example/",
                "ftp://status.example/",
                "https:///hook",
                "https://status.example/a b",
            )
        ],
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(channel: str, routes: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        channel_settings(written(tmp_path, channel, routes))
    assert says in str(raised.value)

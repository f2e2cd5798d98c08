"""What HM_NOTIFY may be, and that what it is stays a secret."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hm_platform.notifying.address import channel_of
from hm_platform.notifying.console import Console
from hm_platform.notifying.slack import SlackWebhook
from hm_platform.notifying.sns import SnsTopic
from hm_platform.settings import SettingsError, load_settings
from tests.notifying.conftest import SECRET, leading_to

WEBHOOK = f"https://hooks.slack.com/services/{SECRET}"


def test_by_default_notices_go_to_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HM_NOTIFY", raising=False)
    assert channel_of(load_settings().notify.get_secret_value()) == Console()


@pytest.mark.parametrize(
    "address",
    [
        WEBHOOK,
        f"HTTPS://chat.example.com:8443/hooks/{SECRET}?a=b",
        "http://localhost:8065/hooks/x",
        "http://127.0.0.1:8065/hooks/x",
        "http://[::1]/hooks/x",
    ],
)
def test_a_webhook_is_one(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HM_NOTIFY", address)
    channel = channel_of(load_settings().notify.get_secret_value())
    assert isinstance(channel, SlackWebhook)
    assert channel.address.get_secret_value() == address


@pytest.mark.parametrize(
    ("arn", "region"),
    [
        ("arn:aws:sns:eu-north-1:123456789012:platform", "eu-north-1"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:Plat_form-1", "us-gov-west-1"),
    ],
)
def test_a_topic_is_one(arn: str, region: str) -> None:
    channel = channel_of(leading_to(arn).notify.get_secret_value())
    assert channel == SnsTopic(arn)
    assert isinstance(channel, SnsTopic)
    assert channel.region == region


REFUSED = [
    "",
    "Console",
    "slack",
    f"hooks.slack.com/services/{SECRET}",
    f"ftp://127.0.0.1/{SECRET}",
    f"https:///{SECRET}",
    f"https://hooks.slack.com/{SECRET} ",
    f"https://hooks.slack.com/{SECRET}\n",
    f"https://hooks..slack.com/{SECRET}",
    f"https://{'a' * 64}.com/{SECRET}",
    f"https://hooks.slack.com:port/{SECRET}",
    f"https://hooks.slack.com:99999/{SECRET}",
    f"https://[::1/{SECRET}",
    f"https://me:{SECRET}@hooks.slack.com/",
    f"http://127.0.0.1@example.com/{SECRET}",
    f"http://127.0.0.1\\@example.com/{SECRET}",
    f"http://hooks.slack.com/services/{SECRET}",
    f"http://127.0.0.1.example.com/{SECRET}",
    f"http://localhost.example.com/{SECRET}",
    f"http://10.0.0.1/{SECRET}",
    "arn:aws:sqs:eu-north-1:123456789012:platform",
    "arn:aws:sns:eu-north-1:1234:platform",
    "arn:aws:sns:eu-north-1:123456789012:platform.fifo",
    "arn:aws:sns:eu-north-1:123456789012:platform:5be6-subscription",
]


@pytest.mark.parametrize("address", REFUSED)
def test_anything_else_is_refused_without_being_shown(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HM_NOTIFY", address)
    with pytest.raises(
        SettingsError, match=r"^HM_NOTIFY: (must be console|a webhook's)"
    ) as refusal:
        load_settings()
    assert SECRET not in str(refusal.value)
    with pytest.raises(ValidationError) as raw:
        leading_to(address)
    assert SECRET not in f"{raw.value}{raw.value!r}"


@given(st.text())
def test_no_value_fails_in_another_way(address: str) -> None:
    with suppress(ValueError):
        channel_of(address)


def test_another_wrong_setting_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HM_NOTIFY", WEBHOOK)
    monkeypatch.setenv("HM_SEED", "-1")
    with pytest.raises(SettingsError, match=r"^HM_SEED='-1': ") as refusal:
        load_settings()
    assert SECRET not in str(refusal.value)


def test_nothing_that_holds_it_shows_it() -> None:
    settings = leading_to(WEBHOOK)
    held = [settings, settings.notify, channel_of(WEBHOOK), settings.model_dump()]
    assert SECRET not in "".join(f"{thing!r} {thing!s}" for thing in held)
    assert SECRET not in settings.model_dump_json()


def test_a_topic_without_boto3_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hm_platform.notifying.address.find_spec", lambda name: None)
    monkeypatch.setenv("HM_NOTIFY", "arn:aws:sns:eu-north-1:123456789012:platform")
    with pytest.raises(SettingsError, match=r"HM_NOTIFY: .*pip install 'hm_platform\[aws\]'"):
        load_settings()

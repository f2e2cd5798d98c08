from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.notifying import Notice, notify
from hm_platform.notifying.sns import MESSAGE_BYTES, SUBJECT_CHARACTERS, message, subject
from tests.notifying.conftest import Receiver, leading_to
from tests.s3.server import serving_at

REGION = "eu-north-1"
ARN = f"arn:aws:sns:{REGION}:123456789012:platform"
NOTICE = Notice("week 2020-09-16 is not built", "A check failed.", "error")
SHOWN = "error: week 2020-09-16 is not built\n  A check failed.\n"
AT_ONCE = (0.0, 0.0)
FAILED = "the notice 'week 2020-09-16 is not built' could not be delivered: "

Topic = tuple[str, Callable[[], list[dict[str, Any]]]]
"""A topic's ARN, and what it has passed on to the queue that is subscribed."""


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """The address of a made-up AWS."""
    with serving_at() as address:
        yield address


@pytest.fixture
def topic(aws: str, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """A topic of this test's own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    name = uuid.uuid4().hex
    sns = boto3.session.Session().client("sns", region_name=REGION)
    sqs = boto3.session.Session().client("sqs", region_name=REGION)
    arn = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    queue_arn = attributes["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)

    def passed_on() -> list[dict[str, Any]]:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(m["Body"]) for m in received.get("Messages", [])]

    return arn, passed_on


def test_a_topic_gets_the_notice(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    arn, passed_on = topic
    notify(NOTICE, leading_to(arn))
    (received,) = passed_on()
    assert received["Subject"] == "error: week 2020-09-16 is not built"
    assert received["Message"] == "error: week 2020-09-16 is not built\n\nA check failed."
    assert received["TopicArn"] == arn
    assert capsys.readouterr().err == ""


def test_any_notice_fits(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    arn, passed_on = topic
    notify(Notice("Größe\n\x1b[1m" + "x" * 200, "é" * MESSAGE_BYTES, "warning"), leading_to(arn))
    (received,) = passed_on()
    assert received["Subject"].startswith("warning: Gr??e ?[1mxxx")
    assert len(received["Subject"]) == SUBJECT_CHARACTERS
    assert received["Message"].endswith("é\n…")
    assert capsys.readouterr().err == ""


def test_a_topic_that_is_not_there_ends_on_the_console(
    topic: Topic, warned: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    arn, passed_on = topic
    notify(NOTICE, leading_to(f"{arn}-gone"), pauses_s=AT_ONCE)
    assert passed_on() == []
    assert warned()[0].startswith(f"{FAILED}HTTP status 404, NotFound")
    assert capsys.readouterr().err == SHOWN


def test_a_failing_service_is_tried_again(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    warned: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", receiver.root)
    receiver.statuses, receiver.answer = [503], b""
    notify(NOTICE, leading_to(ARN), pauses_s=AT_ONCE)
    assert len(receiver.bodies) == 3
    assert warned()[0].startswith(f"{FAILED}HTTP status 503")
    assert capsys.readouterr().err == SHOWN


def test_a_service_that_hangs_is_left_after_the_timeout(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, warned: Callable[[], list[str]]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", receiver.root)
    receiver.hangs = True
    notify(NOTICE, leading_to(ARN), timeout_s=0.1, pauses_s=AT_ONCE)
    assert len(receiver.bodies) == 1
    assert warned() == [f"{FAILED}no answer within 0.1 s"]


def test_a_service_that_is_gone_is_tried_again(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    warned: Callable[[], list[str]],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", receiver.root)
    receiver.stop()
    notify(NOTICE, leading_to(ARN), pauses_s=(0.25, 0.5))
    assert pauses == [0.25, 0.5]
    assert warned()[0].startswith(f"{FAILED}Could not connect to the endpoint")


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_ENDPOINT_URL": "no address"},
        {"AWS_PROFILE": "missing"},
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
    ],
)
def test_a_broken_environment_does_not_raise(
    environment: dict[str, str],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    warned: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"AWS_ENDPOINT_URL": receiver.root, **environment}.items():
        monkeypatch.setenv(name, value)
    notify(NOTICE, leading_to(ARN), pauses_s=AT_ONCE)
    assert receiver.bodies == []
    assert warned()[0].startswith(FAILED)
    assert capsys.readouterr().err == SHOWN


def test_without_boto3_the_console_has_it(
    monkeypatch: pytest.MonkeyPatch,
    warned: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = leading_to(ARN)
    # None in place of a module makes its import fail.
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    notify(NOTICE, settings)
    assert "pip install 'hm_platform[aws]'" in warned()[0]
    assert capsys.readouterr().err == SHOWN


@given(st.text(), st.sampled_from(["info", "warning", "error"]))
def test_every_subject_is_one_that_sns_takes(text: str, severity: Any) -> None:
    made = subject(Notice(text, "", severity))
    assert made.isascii()
    assert made.isprintable()
    assert 0 < len(made) <= SUBJECT_CHARACTERS


@given(st.text())
def test_a_message_has_the_whole_notice(text: str) -> None:
    assert text.strip() in message(Notice("s", text, "info"))


def test_a_long_message_is_cut_between_characters() -> None:
    cut = message(Notice("s", "é" * MESSAGE_BYTES, "info"))
    assert MESSAGE_BYTES - 4 < len(cut.encode()) <= MESSAGE_BYTES

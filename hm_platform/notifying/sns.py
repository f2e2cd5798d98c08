"""Notices as messages of a topic of Amazon SNS, which passes them on to mail, phones or queues.

Credentials come from where boto3 always looks for them, the region from the topic's ARN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hm_platform.notifying.notice import DeliveryError, Notice, cut, timeouts

SUBJECT_CHARACTERS = 99
"""A subject is refused that is not "less than 100 characters long"; see MESSAGE_BYTES."""

MESSAGE_BYTES = 256_000
"""SNS takes 262,144 bytes, of which what it adds takes some.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

NEEDS_BOTO3 = "an SNS topic needs boto3; install it with: pip install 'hm_platform[aws]'"


@dataclass(frozen=True)
class SnsTopic:
    """A standard topic; those that are FIFO ask of a message what a notice does not have."""

    arn: str

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    def send(self, notice: Notice, timeout_s: float) -> None:
        """Publish it. ``timeout_s``: seconds to wait for an answer. Raises DeliveryError."""
        try:
            from boto3.session import Session
            from botocore.config import Config
            from botocore.exceptions import (
                BotoCoreError,
                ClientError,
                ConnectionClosedError,
                ConnectTimeoutError,
                EndpointConnectionError,
                ReadTimeoutError,
            )
        except ImportError:
            raise DeliveryError(NEEDS_BOTO3, passing=False) from None

        connect_s, read_s = timeouts(timeout_s)
        # Who calls tries again, with pauses that it chooses.
        config = Config(
            connect_timeout=connect_s, read_timeout=read_s, retries={"total_max_attempts": 1}
        )
        try:
            client = Session().client("sns", region_name=self.region, config=config)
            client.publish(TopicArn=self.arn, Subject=subject(notice), Message=message(notice))
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            said = error.response.get("Error", {})
            words = [said.get("Code", ""), said.get("Message", "")]
            raise DeliveryError.of_status(status, ": ".join(filter(None, words))) from None
        except ReadTimeoutError:
            # It may have been taken; and whoever waits for this has waited long enough.
            raise DeliveryError(f"no answer within {timeout_s:g} s", passing=False) from None
        except (ConnectTimeoutError, ConnectionClosedError, EndpointConnectionError) as error:
            raise DeliveryError(str(error), passing=True) from None
        except (BotoCoreError, OSError, ValueError) as error:
            # ValueErrors are for an endpoint in the environment that is none, OSErrors for files
            # of credentials that cannot be read.
            raise DeliveryError(str(error), passing=False) from None


def subject(notice: Notice) -> str:
    """The heading as SNS takes one: printable ASCII, on one line, not too long."""
    ascii_only = notice.heading.encode("ascii", "replace").decode("ascii")
    return cut(re.sub(r"[^ -~]", "?", ascii_only), SUBJECT_CHARACTERS, end="...")


def message(notice: Notice) -> str:
    """The whole notice; its heading too, which the subject may not have in full."""
    whole = f"{notice.heading}\n\n{notice.text}".strip()
    encoded = whole.encode("utf-8", "replace")
    end = "\n…"
    if len(encoded) > MESSAGE_BYTES:
        return encoded[: MESSAGE_BYTES - len(end.encode())].decode("utf-8", "ignore") + end
    return encoded.decode("utf-8")

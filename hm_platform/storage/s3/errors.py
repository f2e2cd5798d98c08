"""What goes wrong with a bucket, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto

from hm_platform.storage.tables import TableError

MISSING = {"404", "NoSuchKey", "NotFound"}
CHANGED = {"412", "PreconditionFailed", "ConditionalRequestConflict", "409"}
WRONG_KEYS = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed",
    "InvalidSecurity", "InvalidClientTokenId",
}  # fmt: skip
EXPIRED = {"ExpiredToken", "TokenRefreshRequired", "ExpiredTokenException", "RequestTimeTooSkewed"}
DENIED = {"403", "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem"}
ARCHIVED = {"InvalidObjectState"}
BUSY = {"503", "SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "Throttling", "500",
        "InternalError", "502", "504", "429", "TooManyRequests"}  # fmt: skip
ELSEWHERE = {"301", "PermanentRedirect", "400", "IllegalLocationConstraintException"}


class S3Error(TableError):
    """A bucket that cannot be reached, or that refuses what is asked of it."""


class MissingObjectError(S3Error):
    """An object that is not there."""


class ChangedObjectError(S3Error):
    """An object that somebody has replaced while it was being read."""


class DeniedError(S3Error):
    """Something that these credentials may not do: with one object, or with any."""


class ArchivedObjectError(S3Error):
    """An object that nobody can read before it is restored."""


@contextmanager
def told(doing: str, bucket: str, endpoint: str) -> Iterator[None]:
    """Raise what botocore raises as S3Error, which says what to do and holds no credentials.

    doing : what fails, as ``read raw/articles.parquet``
    """
    try:
        yield
    except boto.ClientError as error:
        raise _of_answer(error, doing, bucket, endpoint) from None
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound,
            boto.CredentialRetrievalError, boto.TokenRetrievalError) as error:  # fmt: skip
        raise S3Error(
            f"cannot {doing}: there are no usable AWS credentials ({type(error).__name__}): set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a "
            "role"
        ) from None
    except (boto.HTTPClientError, boto.ConnectionError) as error:
        raise S3Error(
            f"cannot {doing}: no answer from {endpoint or 'S3'} after several attempts "
            f"({type(error).__name__}): check the network and HM_S3_ENDPOINT, and run this again"
        ) from None
    except boto.BotoCoreError as error:
        raise S3Error(f"cannot {doing} in the bucket {bucket}: {error}") from None


def changed(doing: str) -> ChangedObjectError:
    """What to say where an object is another one than it was."""
    return ChangedObjectError(
        f"cannot {doing}: somebody replaced it at the same time; run this again"
    )


def _of_answer(error: boto.ClientError, doing: str, bucket: str, endpoint: str) -> S3Error:
    found = error.response.get("Error", {})
    code = str(found.get("Code", ""))
    at = f" at {endpoint}" if endpoint else ""
    if code == "NoSuchBucket":
        return S3Error(
            f"cannot {doing}: there is no bucket {bucket}{at}: make it, or correct HM_S3_BUCKET"
        )
    if code in MISSING:
        return MissingObjectError(f"cannot {doing}: it is not in the bucket {bucket}{at}")
    if code == "NoSuchUpload":
        return MissingObjectError(
            f"cannot {doing}: the parts that were sent of it are gone (somebody removed them, or "
            "they were put together and the answer got lost): run this again"
        )
    if code in CHANGED:
        return changed(doing)
    if code in EXPIRED:
        return S3Error(
            f"cannot {doing}: the AWS credentials have expired ({code}): get new ones (or set "
            "the clock right) and run this again"
        )
    if code in WRONG_KEYS:
        return S3Error(
            f"cannot {doing}: {endpoint or 'S3'} does not know these credentials ({code}): check "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or AWS_PROFILE, and "
            "AWS_REGION"
        )
    if code in ARCHIVED:
        return ArchivedObjectError(
            f"cannot {doing}: it is archived ({code}): restore it, and run this again then"
        )
    if code in DENIED:
        return DeniedError(
            f"cannot {doing}: access to the bucket {bucket}{at} is denied ({code}): the "
            "credentials need s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and "
            "s3:AbortMultipartUpload there"
        )
    if code in BUSY:
        return S3Error(
            f"cannot {doing}: {endpoint or 'S3'} was too busy at every attempt ({code}): run this "
            "again later"
        )
    if code in ELSEWHERE:
        return S3Error(
            f"cannot {doing}: the bucket {bucket} is in another region, or {endpoint or 'S3'} can "
            f"make no sense of the request ({code}): set AWS_REGION to the bucket's, and get new "
            "credentials if these may have expired"
        )
    return S3Error(f"cannot {doing} in the bucket {bucket}{at}: {code} {found.get('Message', '')}")

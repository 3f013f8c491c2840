"""S3: a caller that may not list a bucket gets AccessDenied for a missing key.

Source  https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions": without s3:ListBucket the
        answer is 403 Access Denied instead of 404 Not Found
To go when ministack asks for s3:ListBucket before it answers NoSuchKey.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from aws_models.protocol import HttpAnswer
from landing_zone.on_ministack.ec2 import Handler
from landing_zone.on_ministack.internals import app, iam_evaluator, responses, router

DENIED = (
    b"<?xml version='1.0' encoding='utf-8'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
)


def hide_missing_keys(rest: Handler) -> Handler:
    """Return ministack's S3 with that rule applied."""

    async def handler(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> HttpAnswer:
        answer = await rest(method, path, headers, body, query)
        if answer[0] != 404 or not app.AUTH or b"NoSuchKey" not in _text(answer[2]):
            return answer
        verdict = iam_evaluator.enforce(
            router.extract_access_key_id(headers, query),
            "s3:ListBucket",
            "s3",
            responses.get_region(),
            resource_arn=f"arn:aws:s3:::{_bucket(path, headers)}",
        )
        return answer if verdict is None else (403, {"Content-Type": "application/xml"}, DENIED)

    return handler


def _bucket(path: str, headers: Mapping[str, str]) -> str:
    """Return the bucket that was read: that of a copy's source, else that of the path."""
    source = unquote(headers.get("x-amz-copy-source", "")) or path
    return source.lstrip("/").partition("/")[0]


def _text(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()

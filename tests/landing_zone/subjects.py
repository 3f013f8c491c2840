"""Which subjects SNS takes.

Source  https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from aws_models.errors import AwsError


def check_subject(subject: str) -> None:
    """Raise AwsError for a subject with line breaks or control characters, or of 100 characters or more."""
    if len(subject) >= 100 or not subject.isprintable():
        raise AwsError("InvalidParameter", "Invalid parameter: Subject")

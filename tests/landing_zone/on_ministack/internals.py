"""The parts of ministack that the engine uses. ministack has no type hints, so they are imported here once, as Any.

Importing this reads ministack's settings from the environment, so only the server process may do it.
"""

from __future__ import annotations

from ministack import app  # type: ignore[import-untyped]
from ministack.core import (  # type: ignore[import-untyped]
    concurrency,
    container_reaper,
    iam_actions,
    iam_evaluator,
    lambda_runtime,
    responses,
    router,
)
from ministack.services import (  # type: ignore[import-untyped]
    cloudformation,
    cloudwatch,
    cloudwatch_logs,
    ec2,
    eventbridge,
    iam,
    kms,
    lambda_svc,
    organizations,
    s3,
    sns,
    sqs,
    tagging,
)
from ministack.services.cloudformation import (  # type: ignore[import-untyped]
    changesets,
    custom_resource,
    handlers,
    provisioners,
    stacks,
)
from ministack.services.cloudformation import engine as template_parser

__all__ = [
    "app",
    "changesets",
    "cloudformation",
    "cloudwatch",
    "cloudwatch_logs",
    "concurrency",
    "container_reaper",
    "custom_resource",
    "ec2",
    "eventbridge",
    "handlers",
    "iam",
    "iam_actions",
    "iam_evaluator",
    "kms",
    "lambda_runtime",
    "lambda_svc",
    "organizations",
    "provisioners",
    "responses",
    "router",
    "s3",
    "sns",
    "sqs",
    "stacks",
    "tagging",
    "template_parser",
]

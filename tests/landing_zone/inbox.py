"""A queue that subscribes to a topic, so that a test can read what the topic sends."""

from __future__ import annotations

import json
from typing import Any

from landing_zone import reading
from landing_zone.engine import Engine


class Inbox:
    """The messages that a topic's subscribers receive."""

    def __init__(self, engine: Engine, account_id: str, topic_arn: str) -> None:
        self._sqs = engine.client("sqs", account_id)
        self._url = self._sqs.create_queue(QueueName="inbox")["QueueUrl"]
        wanted = {"QueueUrl": self._url, "AttributeNames": ["QueueArn"]}
        queue_arn = self._sqs.get_queue_attributes(**wanted)["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        engine.client("sns", account_id).subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)

    def next(self) -> str:
        """Return the text of the next message, and remove it."""

        def receive() -> list[Any]:
            messages: list[Any] = self._sqs.receive_message(QueueUrl=self._url).get("Messages", [])
            return messages

        (message,) = reading.eventually(receive)
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return str(json.loads(message["Body"])["Message"])

    def is_empty(self) -> bool:
        return not self._sqs.receive_message(QueueUrl=self._url).get("Messages", [])

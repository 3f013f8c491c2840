"""Waits for the last changes of a request that another one has superseded."""

from __future__ import annotations

from ctipam import waiting
from ctipam.cloudformation.request import ResourceRequest

ARRIVE_S, LISTED_S = 10.0, 5.0
"""For how long, after a request supersedes another, changes of the earlier one may still arrive: it may believe the
status of the stack for 5 s (`own_stack.BELIEVED_S`), and its last calls take a while. And for how long AWS may not list
what such a call has made. https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html"""

LATECOMERS_S = ARRIVE_S + LISTED_S


def wait_for_latecomers(request: ResourceRequest) -> None:
    """Wait until nothing that an earlier request has begun can change any more what this one reads. Raises OutOfTime.

    CloudFormation rolls back and deletes without waiting for the function that still works on the earlier request.
    """
    if request.kind == "Delete" or request.is_rollback:
        while (remaining := request.began + LATECOMERS_S - waiting.now()) > 0:
            request.deadline.pause_at_most(remaining)

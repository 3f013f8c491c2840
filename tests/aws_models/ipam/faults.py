"""Failures of IPAM's asynchronous operations that tests order, besides the faults of `aws_models.faults`.

    faults.fail_next("ProvisionIpamPoolCidr", "no", code="cidr-not-available", shown_early=True)
    faults.hang_next("DeleteIpamPool")              its *-in-progress or pending-* state never ends
    faults.fail_discovery("333333333333")           from now on, IPAM learns nothing new of this account
    faults.list_without_tags("DescribeIpamPools")   the next list that is not filtered by a tag shows no tags

An action is named as in EC2's API; CreateVpc can be refused too. fail_next and hang_next take asynchronous ones only.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque

from aws_models.errors import AwsError
from aws_models.faults import CallFaults
from aws_models.ipam.records import Failure
from aws_models.ipam.requests import Call

HANG = Failure("", "never ends")

ASYNCHRONOUS = frozenset(
    "CreateIpam ModifyIpam DeleteIpam CreateIpamScope DeleteIpamScope ModifyIpamResourceDiscovery "
    "CreateIpamPool ModifyIpamPool DeleteIpamPool ProvisionIpamPoolCidr DeprovisionIpamPoolCidr".split()
)


class Faults(CallFaults):
    def __init__(self) -> None:
        super().__init__(AwsError("InternalError", "An internal error has occurred", 500))
        self._fates: defaultdict[str, deque[Failure]] = defaultdict(deque)
        self.undiscoverable: dict[str, str] = {}  # account id -> code of the FailureReason
        self._lists_without_tags: Counter[str] = Counter()  # by action

    def fail_discovery(self, account_id: str) -> None:
        self.undiscoverable[account_id] = "assume-role-failure"

    def fail_next(self, action: str, message: str, code: str = "", shown_early: bool = False) -> None:
        """Let the next accepted one end *-failed with this StateMessage, or failed-* with this FailureReason."""
        self._add_fate(action, Failure(code, message, shown_early))

    def list_without_tags(self, action: str, times: int = 1) -> None:
        """Leave the tags out of the next pages of a list. "If you describe a resource without using a tag filter, the
        results might not return the tags for your resource", says EC2's guide, and users have met it.

        Source  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
                https://github.com/cloud-custodian/cloud-custodian/issues/252
                Unverified: that it happens to IPAMs and pools
        """
        self._lists_without_tags[action] += times

    def leaves_tags_out(self, call: Call) -> bool:
        """Return whether this list shows no tags. For the model."""
        by_tag = any(wish.get("Name", "").startswith("tag:") for wish in call.params.get("Filters", ()))
        if by_tag or not self._lists_without_tags[call.action]:
            return False
        self._lists_without_tags[call.action] -= 1
        return True

    def hang_next(self, action: str) -> None:
        self._add_fate(action, HANG)

    def _add_fate(self, action: str, fate: Failure) -> None:
        if action not in ASYNCHRONOUS:
            raise ValueError(f"{action} ends at once; these do not: {', '.join(sorted(ASYNCHRONOUS))}")
        self._fates[action].append(fate)

    def fate(self, action: str) -> Failure | None:
        """Return how the operation that was just accepted will end: HANG for never, None for success. For the model."""
        return self._fates[action].popleft() if self._fates[action] else None

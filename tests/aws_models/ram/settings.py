"""Durations and quotas."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timings:
    """Seconds. AWS publishes none, save that deleted shares stay listed for about two hours:

    https://docs.aws.amazon.com/ram/latest/userguide/working-with-sharing-delete.html
    """

    onboarding: float = 60  # from when sharing with the organization is enabled until it works: minutes have been seen
    share_create: float = 0  # as in AWS's examples: the answer to CreateResourceShare says ACTIVE
    listed: float = 1  # from when a share or an association is made until calls find it
    associate: float = 3
    disassociate: float = 3
    share_delete: float = 5
    disassociated_listed: float = 3600
    deleted_share_listed: float = 7200
    client_token: float = 3600  # unverified, and short, so that nobody relies on it


ENTITIES_PER_REQUEST = 100  # resources and principals; so says the model of ResourceShareLimitExceededException
TAGS_PER_SHARE = 50
TAG_KEY, TAG_VALUE = 128, 256
"""Characters. https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""
NEXT_PAGE = (1, 500)  # bounds of maxResults

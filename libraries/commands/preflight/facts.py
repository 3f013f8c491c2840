"""What `make preflight` reads of an organization, as data. Pure.

Each fact is the value, or Unknown with AWS's error: what cannot be read is reported, never assumed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from commands.pool_spec import pool_spec
from commands.preflight.service_control_policies import Policy
from ctipam.errors import Refused
from ctipam.ipam.existing import ExistingIpam
from ctipam.organization.tree import AccountLocation, OrganizationTree
from ctipam.pools.spec import PoolSpec

T = TypeVar("T")


@dataclass(frozen=True)
class Unknown:
    """A fact that could not be read.

    why         AWS's error, or what else is missing
    by_aws      it is AWS's error, which a permission may end
    throttled   AWS was called too often, which no permission ends
    """

    why: str
    by_aws: bool = True
    throttled: bool = False


Fact: TypeAlias = T | Unknown


@dataclass(frozen=True)
class LandingZone:
    """region: its home Region. governed: None if its manifest names no Regions, as from version 4.0."""

    region: str
    version: str = ""
    status: str = ""
    drifted: bool = False
    governed: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Facts:
    """What was read.

    region             the Region that the user has configured
    account_id         of the credentials
    management_id      of the organization; empty if the account is in none
    landing_zone       None if Control Tower lists none in this Region
    stack              the parameters of the existing stack; None if there is no stack
    stack_state        why it takes no update, or cannot be created; empty if it does, or can
    location           where the Networking account is; None: not in the organization. The OUs have no names
    stack_set_role     whether Control Tower's StackSet role exists
    execution_role     whether Control Tower's role in the Networking account can be assumed
    regions            Regions that are enabled in the Networking account
    policies           service control policies of the root, of each OU, and of the account
    trusted            service principals that the organization trusts
    administrators     account ids of IPAM's delegated administrators
    ipams              the usable IPAM of the Networking account in each Region; None: there is none
    quotas             of IPAM, by their codes in Service Quotas
    controls           of the OUs of the Networking account, for example {"CT.LAMBDA.PR.3": "ou-abcd-11111111"}
    bucket_region      empty if there is no such bucket of this account
    trails             names of the trails that log management events of this Region
    tree               all OUs and accounts
    remembered         the ids of OUs that the tags of pools name, by environment
    deployments        ARNs of stacks in the Networking account that have pools and can act
    share_quotas       of RAM, by their codes
    """

    region: str
    account_id: str
    partition: str
    management_id: Fact[str]
    landing_zone: Fact[LandingZone | None]
    stack: Fact[Mapping[str, str] | None]
    location: Fact[AccountLocation | None]
    stack_set_role: Fact[bool]
    execution_role: Fact[bool]
    regions: Fact[frozenset[str]]
    policies: Fact[tuple[tuple[Policy, ...], ...]]
    trusted: Fact[frozenset[str]]
    administrators: Fact[tuple[str, ...]]
    ipams: Mapping[str, Fact[ExistingIpam | None]]
    quotas: Fact[Mapping[str, int]]
    controls: Fact[Mapping[str, str]]
    bucket_region: Fact[str]
    trails: Fact[tuple[str, ...]]
    tree: Fact[OrganizationTree]
    remembered: Fact[Mapping[str, Collection[str]]]
    deployments: Fact[tuple[str, ...]]
    share_quotas: Fact[Mapping[str, int]]
    stack_state: Fact[str] = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def spec(self) -> PoolSpec | Refused:
        """Return the spec of the pools, or why the parameters are refused."""
        try:
            return pool_spec(self.parameters, new=self.stack is None)
        except Refused as refusal:
            return refusal

    @property
    def network_account_id(self) -> str:
        return self.parameters.get("NetworkAccountId", "")


Result = Literal["ok", "warning", "failed", "unknown"]


@dataclass(frozen=True)
class Check:
    """about: what was checked. text: what was found, and for all but ok, the way out."""

    about: str
    result: Result
    text: str


def unknown_check(about: str, permission: str, unknown: Unknown) -> Check:
    """Return the check of a fact that could not be read. permission: that AWS requires for it."""
    if not unknown.by_aws:
        return Check(about, "unknown", f"Not checked: {unknown.why}.")
    way_out = "AWS is called too often; try again in some minutes." if unknown.throttled else f"Allow {permission}."
    return Check(about, "unknown", f"Cannot be read ({unknown.why.rstrip('.')}). {way_out}")

"""What `make explain` has read about an account, a pool or a VPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from commands.arguments import STACK
from ctipam.ipam.discovered import DiscoveredCidr
from ctipam.organization.environments import EnvironmentOu
from ctipam.organization.tree import AccountLocation
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.sharing.existing import Share
from ctipam.sharing.results import AccountResult


@dataclass(frozen=True)
class Decision:
    """A line of a function's log. at: "2026-11-26 05:03:11". fields: those besides what Lambda adds"""

    at: str
    what: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Log:
    """The last decisions about something. unread: why they could not be read; empty if they could"""

    group: str
    decisions: Sequence[Decision] = ()
    unread: str = ""


@dataclass(frozen=True)
class AccountFacts:
    """location   with the names of all OUs; None: the account is not in the organization
    result     of a dry run for this account
    ou_ids     environment -> the id of its OU that the pools carry
    decided    which OU each environment is, if that had to be found out by names
    pools      all of this solution, without CIDRs but for those of the account, by ARN
    exact      only the account's own OU counts
    lost       which pools have lost the tag that marks them as ours, a sentence each
    listed     the stack's AccEnvName
    stack      its name
    joined     shares of other accounts, to which somebody has added this one, its OU or the organization
    held       why the account keeps pools that its place does not give it, a sentence each
    """

    account_id: str
    location: AccountLocation | None
    result: AccountResult
    ou_ids: Mapping[str, str]
    decided: Sequence[EnvironmentOu]
    shares: Sequence[Share]
    pools: Mapping[str, ExistingPool]
    exact: bool
    log: Log
    lost: Sequence[str] = ()
    listed: str = ""
    stack: str = STACK
    joined: Sequence[Share] = ()
    held: Sequence[str] = ()


@dataclass(frozen=True)
class PoolFacts:
    """pool       with its CIDRs
    allocated  from it; None: that cannot be read in its Region
    accounts   that can use it; pending: that will soon; strangers: others that can, see who_can_use
    names      of the pools below it, by id
    lost       that it has lost the tag that marks it as ours, in a sentence
    sizes      the stack's PoolSizes
    stack      its name
    """

    pool: ExistingPool
    allocated: Sequence[Allocation] | None
    accounts: Sequence[str]
    pending: Sequence[str]
    names: Mapping[str, str]
    log: Log
    lost: Sequence[str] = ()
    sizes: str = ""
    stack: str = STACK
    strangers: Sequence[str] = ()


@dataclass(frozen=True)
class VpcFacts:
    """found        the pool from which the VPC has a CIDR, and the allocation, for each CIDR
    discovered   what IPAM knows of it
    account      that owns it; None: nobody knows the VPC, or its account is not to be explained
    space        the stack's TopLevelPoolCidr
    reserved     its ReservedCidrs
    """

    vpc_id: str
    found: Sequence[tuple[ExistingPool, Allocation]]
    discovered: Sequence[DiscoveredCidr]
    account: AccountFacts | None
    space: Sequence[IPv4Network] = ()
    reserved: Sequence[IPv4Network] = ()

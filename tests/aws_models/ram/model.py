"""RamModel: the actions and their rules."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import RLock
from typing import Any
from uuid import uuid4

from aws_models.clock import Clock
from aws_models.errors import AwsError
from aws_models.ipam import IpamModel
from aws_models.organization import Caller, Organization
from aws_models.ram import pages, requests
from aws_models.ram.faults import Faults
from aws_models.ram.records import Association, AssociationType, Change, Share
from aws_models.ram.requests import PARAMETERS, Params, invalid
from aws_models.ram.settings import Timings

Answer = dict[str, Any]

AS_AWS = Timings()


@dataclass(frozen=True)
class Remembered:
    """The request and answer of a client token."""

    until: float
    params: Params
    answer: Answer


class RamModel:
    ACTIONS = frozenset(PARAMETERS)

    def __init__(
        self,
        clock: Clock,
        organization: Organization,
        ipam: IpamModel,
        *,
        timings: Timings = AS_AWS,
        page_size: int = 5,
    ) -> None:
        """page_size   rows on a page when the caller does not say; small, so that paginators are used"""
        self.faults = Faults()
        self._clock = clock
        self._organization = organization
        self._ipam = ipam
        self._timings = timings
        self._page_size = page_size
        self._lock = RLock()
        self._number = 0  # of the last share or association
        self._onboarded_at = 0.0
        self._shares: dict[str, Share] = {}
        self._remembered: dict[tuple[Caller, str, str], Remembered] = {}
        self._acts: dict[str, Callable[[Params, Caller], Answer]] = {
            "AssociateResourceShare": self._associate_resource_share,
            "CreateResourceShare": self._create_resource_share,
            "DeleteResourceShare": self._delete_resource_share,
            "DisassociateResourceShare": self._disassociate_resource_share,
            "EnableSharingWithAwsOrganization": self._enable_sharing_with_aws_organization,
            "GetResourceShareAssociations": self._get_resource_share_associations,
            "GetResourceShares": self._get_resource_shares,
            "ListPrincipals": self._list_principals,
            "ListResources": self._list_resources,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "UpdateResourceShare": self._update_resource_share,
        }

    def call(self, action: str, params: Params, caller: Caller) -> Answer:
        """Do a RAM action and return its answer. Shapes are boto3's, without ResponseMetadata.

        Raises  AwsError as RAM would; NotImplementedError for what the package leaves out
        """
        with self._lock:
            self._settle()
            self.faults.before(action)
            requests.check(action, params)
            takes_token = "clientToken" in PARAMETERS[action][1]
            answer = self._once(action, params, caller) if takes_token else self._acts[action](params, caller)
            self.faults.after(action)
            return answer

    def pools_shared_with(self, account_id: str) -> set[str]:
        """Return the ARNs of the pools that this account may use now, shared in any Region.

        Takes no lock: IPAM calls this while it holds its own, and RAM calls IPAM while it holds this one.
        """
        now = self._clock.now()
        return {arn for share in self._shares_held_by(account_id) for arn in share.associated("RESOURCE", now)}

    # Changing shares

    def _create_resource_share(self, params: Params, caller: Caller) -> Answer:
        now = self._clock.now()
        share = Share(
            number=self._next_number(),
            arn=f"arn:{_partition(caller.region)}:ram:{caller.region}:{caller.account_id}:resource-share/{uuid4()}",
            name=requests.checked_name(params["name"]),
            home=caller,
            allow_external=params.get("allowExternalPrincipals", True),
            tags=requests.with_tags({}, params.get("tags", [])),
            created=now,
            updated=now,
        )
        self._associate(share, requests.entities(params))
        self._begin_share(share)
        self._shares[share.arn] = share
        return {"resourceShare": share.shown(caller.account_id)}

    def _begin_share(self, share: Share) -> None:
        """Let a new share be ACTIVE at once, as in AWS's examples, unless a test has ordered otherwise. With a share
        that fails, all its associations do. Unverified, as is that a share that is PENDING or FAILED takes nothing: AWS
        documents the values of its status, and not what they mean.
        """
        at, failure = self._clock.now() + self._timings.share_create, self.faults.share_failure()
        if failure is not None:
            share.begin("PENDING", Change(at, "FAILED", failure))
            for association in share.associations:
                association.change = Change(at, "FAILED", failure)
        elif self._timings.share_create:
            share.begin("PENDING", Change(at, "ACTIVE"))

    def _update_resource_share(self, params: Params, caller: Caller) -> Answer:
        share = self._own_share(params, caller)
        if not params.keys() & {"name", "allowExternalPrincipals"}:
            raise AwsError("MissingRequiredParameterException", "Specify name or allowExternalPrincipals.")
        share.name = requests.checked_name(params.get("name", share.name))
        share.allow_external = params.get("allowExternalPrincipals", share.allow_external)
        share.updated = self._clock.now()
        return {"resourceShare": share.shown(caller.account_id)}

    def _delete_resource_share(self, params: Params, caller: Caller) -> Answer:
        share, now = self._own_share(params, caller), self._clock.now()
        _check_deletable(share)
        share.updated = now
        share.begin("DELETING", Change(now + self._timings.share_delete, "DELETED"))
        for association in share.associations:
            if association.status not in ("DISASSOCIATING", "DISASSOCIATED"):
                self._begin_to_disassociate(association)
        return {"returnValue": True}

    def _tag_resource(self, params: Params, caller: Caller) -> Answer:
        share = self._own_share(params, caller)
        share.tags = requests.with_tags(share.tags, params["tags"])
        return {}

    def _untag_resource(self, params: Params, caller: Caller) -> Answer:
        share = self._own_share(params, caller)
        share.tags = {key: value for key, value in share.tags.items() if key not in params["tagKeys"]}
        return {}

    def _enable_sharing_with_aws_organization(self, params: Params, caller: Caller) -> Answer:
        """Enable sharing in all Regions, after a while; a second call changes nothing."""
        if caller.account_id != self._organization.management_account_id:
            raise AwsError("OperationNotPermittedException", "Only the organization's management account may do this.")
        if not self._organization.ram_sharing_enabled:
            self._onboarded_at = self._clock.now() + self._timings.onboarding
        self._organization.ram_sharing_enabled = True
        self._organization.trusted_services.add("ram.amazonaws.com")
        return {"returnValue": True}

    # Changing associations: all that a request names, or none

    def _associate_resource_share(self, params: Params, caller: Caller) -> Answer:
        share = self._own_share(params, caller)
        if share.status in ("PENDING", "FAILED"):
            raise _wrong_state_of_share(share)
        begun = self._associate(share, requests.some_entities(params))
        return {"resourceShareAssociations": [association.shown() for association in begun]}

    def _disassociate_resource_share(self, params: Params, caller: Caller) -> Answer:
        share = self._own_share(params, caller)
        if share.status == "PENDING":
            raise _wrong_state_of_share(share)
        ending = [_association_to_end(share, type_, entity) for type_, entity in requests.some_entities(params)]
        for association in ending:
            self._begin_to_disassociate(association)
        return {"resourceShareAssociations": [association.shown() for association in ending]}

    def _associate(self, share: Share, entities: list[tuple[AssociationType, str]]) -> list[Association]:
        begun = [self._begun_association(share, type_, entity) for type_, entity in entities]
        # One that is over, or has failed, gives way to its successor.
        others = [one for one in share.associations if (one.type, one.entity) not in entities]
        share.associations = others + begun
        for association in begun:
            if not association.external:  # else it waits for an invitation to be accepted, and nobody does
                association.change = self._outcome()
        return begun

    def _begun_association(self, share: Share, type_: AssociationType, entity: str) -> Association:
        external = False
        if type_ == "RESOURCE":
            self._check_pool(entity, share.home)
        else:
            external = self._is_external(entity, share)
        existing, now = share.association(type_, entity), self._clock.now()
        if existing and existing.status == "DISASSOCIATING":
            raise _wrong_state(existing)
        if existing and existing.status not in ("DISASSOCIATED", "FAILED"):
            # Unverified: callers are to compare first.
            raise invalid(f"{entity} is already associated with {share.arn}.")
        return Association(share, self._next_number(), type_, entity, external, "ASSOCIATING", now, now)

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _outcome(self) -> Change:
        at, failure = self._clock.now() + self._timings.associate, self.faults.failure()
        return Change(at, "FAILED", failure) if failure is not None else Change(at, "ASSOCIATED")

    def _begin_to_disassociate(self, association: Association) -> None:
        now = self._clock.now()
        association.begin("DISASSOCIATING", now, Change(now + self._timings.disassociate, "DISASSOCIATED"))

    def _check_pool(self, arn: str, home: Caller) -> None:
        """Refuse what IPAM's owner could not share from here.

        Source  https://docs.aws.amazon.com/vpc/latest/ipam/share-pool-ipam.html
                https://github.com/hashicorp/terraform-provider-aws/issues/15254, for the onboarding
                Unverified: the code of OperationNotPermittedException, and that unfinished pools are refused
        """
        if self._clock.now() < self._onboarded_at:
            raise _not_permitted(
                "The resource you are attempting to share can only be shared within your AWS Organization. This error "
                "may also occur if you have not enabled sharing with your AWS organization, or that onboarding process "
                "is still in progress."
            )
        named = requests.pool_named_by(arn)
        if named["owner"] != home.account_id:
            raise _not_permitted(f"{arn} belongs to another account.")
        pool = self._pool(named["id"], home)
        if pool is None or pool["IpamPoolArn"] != arn or pool["IpamRegion"] != home.region:
            raise _unknown(f"Resource {arn} could not be found.")
        if pool["State"] not in ("create-complete", "modify-complete"):
            raise _not_permitted(f"{arn} is in state {pool['State']}.")
        if self._organization.delegated_administrators.get("ipam.amazonaws.com") != home.account_id:
            raise _not_permitted("Only the delegated IPAM administrator of the organization can share pools.")

    def _pool(self, pool_id: str, home: Caller) -> Answer | None:
        try:
            pools = self._ipam.call("DescribeIpamPools", {"IpamPoolIds": [pool_id]}, home)["IpamPools"]
        except AwsError as error:
            if error.code == "InvalidIpamPoolId.NotFound":
                return None
            raise
        return next(iter(pools), None)

    def _is_external(self, principal: str, share: Share) -> bool:
        """Return whether the principal needs an invitation.

        Source  https://docs.aws.amazon.com/ram/latest/userguide/troubleshooting.html, for the words
        """
        requests.check_principal(principal)
        if principal == share.home.account_id:  # unverified
            raise invalid(f"Principal {principal} is the owner of the resource share.")
        organization = self._organization
        sharing = organization.ram_sharing_enabled and organization.is_member(share.home.account_id)
        if sharing and organization.is_member(principal):
            return False
        if share.allow_external:
            return True
        if sharing:
            raise invalid(f"Principal {principal} is not in your AWS organization.")
        raise _unknown(f"Account {principal} does not exist in an AWS organization.")

    # Reading

    def _get_resource_shares(self, params: Params, caller: Caller) -> Answer:
        shares = self._seen_shares(params, caller)
        rows = [pages.share_row(share, params, caller.account_id) for share in shares]
        return pages.page("resourceShares", rows, params, self._page_size)

    def _get_resource_share_associations(self, params: Params, caller: Caller) -> Answer:
        associations = [
            association
            for share in self._seen_shares(params, caller)
            for association in share.associations
            if association.type == params["associationType"] and self._is_known(association)
        ]
        rows = [pages.association_row(association, params) for association in associations]
        return pages.page("resourceShareAssociations", rows, params, self._page_size)

    def _list_resources(self, params: Params, caller: Caller) -> Answer:
        associations = self._listed("RESOURCE", params, caller)
        rows = [pages.resource_row(association, params, self._clock.now()) for association in associations]
        return pages.page("resources", rows, params, self._page_size)

    def _list_principals(self, params: Params, caller: Caller) -> Answer:
        """Return the accounts that the caller shares with, or those that share with the caller."""
        own, now = params["resourceOwner"] == "SELF", self._clock.now()
        rows = [
            pages.principal_row(one, one.entity if own else one.share.home.account_id, params, now)
            for one in self._listed("PRINCIPAL", params, caller)
            if own or one.entity == caller.account_id
        ]
        return pages.page("principals", rows, params, self._page_size)

    def _listed(self, type_: AssociationType, params: Params, caller: Caller) -> Iterator[Association]:
        """Yield the associations that the list shows: to the owner also those that begin, to others those in effect."""
        statuses = ("ASSOCIATED", "ASSOCIATING") if params["resourceOwner"] == "SELF" else ("ASSOCIATED",)
        for share in self._seen_shares(params, caller):
            known = (one for one in share.associations if self._is_known(one))
            yield from (one for one in known if one.type == type_ and one.status in statuses)

    def _seen_shares(self, params: Params, caller: Caller) -> list[Share]:
        """Return all shares in the caller's Region that it owns, or that are shared with it."""
        if params.get("resourceOwner", "SELF") == "SELF":
            seen = [share for share in self._shares.values() if share.home == caller and self._is_known(share)]
        else:
            seen = [share for share in self._shares_held_by(caller.account_id) if share.home.region == caller.region]
        if unknown := set(params.get("resourceShareArns", [])) - {share.arn for share in seen}:
            raise _unknown(f"ResourceShare {', '.join(sorted(unknown))} could not be found.")
        return seen

    def _shares_held_by(self, account_id: str) -> Iterator[Share]:
        now = self._clock.now()
        for share in list(self._shares.values()):
            if account_id in share.associated("PRINCIPAL", now) and self._organization.is_member(account_id):
                yield share

    def _is_known(self, made: Share | Association) -> bool:
        """Return whether calls find what has been made.

        Source  the provider looks for a new share again for a minute, see resourceSharePropagationTimeout in
                https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ram/resource_share.go
                https://github.com/hashicorp/terraform-provider-aws/issues/36791, of a member account
                Unverified: that an association is found late too
        """
        return made.created + self._timings.listed <= self._clock.now()

    def _own_share(self, params: Params, caller: Caller) -> Share:
        """Return the share that the request changes."""
        arn = params["resourceShareArn"]
        share = self._shares.get(arn)
        if share is None or share.home != caller or share.status == "DELETED":
            raise _unknown(f"ResourceShare {arn} could not be found.")
        if share.status == "DELETING":  # unverified
            raise _wrong_state_of_share(share)
        return share

    def _settle(self) -> None:
        """Apply all changes that are due by now."""
        now = self._clock.now()
        for share in list(self._shares.values()):
            share.settle(now)
            for association in share.associations:
                association.settle(now)
            share.associations = [one for one in share.associations if not self._is_forgotten(one, now)]
            if share.status == "DELETED" and share.updated + self._timings.deleted_share_listed <= now:
                del self._shares[share.arn]

    def _is_forgotten(self, association: Association, now: float) -> bool:
        over = association.status == "DISASSOCIATED"
        return over and association.updated + self._timings.disassociated_listed <= now

    def _once(self, action: str, params: Params, caller: Caller) -> Answer:
        """Act, or return the first answer to this client token.

        Source  clientToken in https://docs.aws.amazon.com/ram/latest/APIReference/API_CreateResourceShare.html
        """
        token, now = params.get("clientToken"), self._clock.now()
        if token is None:
            return self._acts[action](params, caller) | {"clientToken": str(uuid4())}
        if not 1 <= len(token) <= 64:
            raise AwsError("InvalidClientTokenException", "A client token has from 1 to 64 characters.")
        known = self._remembered.get((caller, action, token))
        if known is None or known.until <= now:
            answer = self._acts[action](params, caller) | {"clientToken": token}
            known = Remembered(now + self._timings.client_token, copy.deepcopy(params), answer)
            self._remembered[caller, action, token] = known
        if known.params != params:
            message = "The client token was used before, in a request with other parameters."
            raise AwsError("IdempotentParameterMismatchException", message)
        return copy.deepcopy(known.answer)  # which callers may change


def _association_to_end(share: Share, type_: AssociationType, entity: str) -> Association:
    association = share.association(type_, entity)
    if association is None or association.status == "DISASSOCIATED":
        raise _unknown(f"{entity} is not associated with {share.arn}.")  # unverified
    if association.status in ("ASSOCIATING", "DISASSOCIATING"):
        raise _wrong_state(association)
    return association


def _check_deletable(share: Share) -> None:
    """Refuse a deletion while RAM still makes the share, or adds something but who waits for an invitation.

    Unverified: AWS documents the exception, and it is reported of a disassociation
    https://docs.aws.amazon.com/ram/latest/APIReference/API_DeleteResourceShare.html
    https://github.com/hashicorp/terraform-provider-aws/issues/13458
    """
    if share.status == "PENDING":
        raise _wrong_state_of_share(share)
    for association in share.associations:
        if association.status == "ASSOCIATING" and not association.external:
            raise _wrong_state(association)


def _wrong_state_of_share(share: Share) -> AwsError:
    return AwsError("InvalidStateTransitionException", f"ResourceShare {share.arn} is in {share.status} status.")


def _wrong_state(association: Association) -> AwsError:
    return AwsError(
        "InvalidStateTransitionException",
        f"At least one of the associations of {association.share.arn} is in {association.status} status.",
    )


def _unknown(message: str) -> AwsError:
    return AwsError("UnknownResourceException", message)


def _not_permitted(message: str) -> AwsError:
    return AwsError("OperationNotPermittedException", message)


def _partition(region: str) -> str:
    return next((f"aws-{name}" for name in ("cn", "us-gov") if region.startswith(f"{name}-")), "aws")

"""Decide whether an organization is ready for a deployment. Pure: nothing here calls AWS.

A check is ok, failed (the deployment would fail), a warning, or unknown if what it needs could not be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from commands.arguments import another_account, in_no_organization, short_names
from commands.preflight import environments as preflight_environments
from commands.preflight import networking
from commands.preflight import quotas as preflight_quotas
from commands.preflight.facts import Check, Fact, Facts, LandingZone, Unknown, unknown_check
from ctipam.errors import Refused
from ctipam.organization.monitoring import not_monitored
from ctipam.organization.preconditions import (
    lists_in_home_region,
    refuse_another_administrator,
    ungoverned_regions,
)

EVENTS_REGION = {"aws": "us-east-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}
"""Where Organizations sends its events.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html"""


def check(facts: Facts) -> list[Check]:
    """Return all checks, in the order in which a deployment depends on them."""
    return [one for checks in CHECKS for one in checks(facts)]


def is_ready(checks: Sequence[Check]) -> bool:
    return not any(one.result == "failed" for one in checks)


def no_credentials(unknown: Unknown) -> Check:
    return Check(
        "Credentials",
        "failed",
        f"There are no valid AWS credentials ({unknown.why.rstrip('.')}). Sign in to the management account, or set "
        "AWS_PROFILE.",
    )


def no_region() -> Check:
    return Check("Region", "failed", "No Region is configured. Set AWS_REGION to Control Tower's home Region.")


def too_many_calls() -> Check:
    return Check(
        "AWS",
        "failed",
        "AWS refuses this account's calls as too many, so nothing can be checked. Try again in some minutes, or find "
        "out what else calls AWS so often.",
    )


def credentials(account_id: str, management: Fact[str]) -> Check:
    """Check that the credentials are those of the management account, whose id is `management`."""
    if isinstance(management, Unknown):
        return unknown_check("Credentials", "organizations:DescribeOrganization", management)
    if not management:
        return Check("Credentials", "failed", str(in_no_organization(account_id)))
    if account_id != management:
        return Check("Credentials", "failed", str(another_account(account_id, management)))
    return Check("Credentials", "ok", f"Account {account_id} is the management account.")


def _credentials(facts: Facts) -> Iterator[Check]:
    yield credentials(facts.account_id, facts.management_id)


def _landing_zone(facts: Facts) -> Iterator[Check]:
    zone = facts.landing_zone
    if isinstance(zone, Unknown):
        yield unknown_check("Landing zone", "controltower:ListLandingZones and GetLandingZone", zone)
    elif zone is None:
        # a stack that exists is not refused, see refuse_another_region
        refused = facts.stack is None and lists_in_home_region(facts.partition)
        yield Check(
            "Landing zone",
            "failed" if refused else "warning",
            f"Control Tower lists no landing zone in {facts.region}. Set AWS_REGION to its home Region.",
        )
    elif zone.region != facts.region:
        yield Check(
            "Landing zone",
            "failed",
            f"{facts.region} is not Control Tower's home Region. Set AWS_REGION to {zone.region}.",
        )
    else:
        yield from _state(zone)
        yield from _governed(facts, zone)


def _state(zone: LandingZone) -> Iterator[Check]:
    about, found = "Landing zone", f"Version {zone.version}, home Region {zone.region}"
    if zone.status != "ACTIVE":
        yield Check(about, "warning", f"{found}, but it is {zone.status}. Wait, or repair it in its settings.")
    elif zone.drifted:
        yield Check(about, "warning", f"{found}, but it has drifted. Reset it in Control Tower's settings.")
    else:
        yield Check(about, "ok", f"{found}.")


def _governed(facts: Facts, zone: LandingZone) -> Iterator[Check]:
    spec = facts.spec()
    if isinstance(spec, Refused):
        return
    if zone.governed is None:
        yield Check(
            "Governed Regions",
            "unknown",
            f"Landing zone {zone.version} names no governed Regions; the stack tests each Region itself.",
        )
        return
    existing = facts.stack if isinstance(facts.stack, Mapping) else {}
    before = [region.strip() for region in existing.get("RegionSelection", "").split(",")]
    ungoverned = ungoverned_regions(spec.regions, zone.governed)
    for region, sentence in ungoverned.items():
        yield Check("Governed Regions", "warning" if region in before else "failed", sentence)
    if not ungoverned:
        yield Check("Governed Regions", "ok", f"Control Tower governs {', '.join(spec.regions)}.")


def _organization(facts: Facts) -> Iterator[Check]:
    trusted, administrators = facts.trusted, facts.administrators
    if isinstance(trusted, Unknown):
        yield unknown_check("RAM sharing", "organizations:ListAWSServiceAccessForOrganization", trusted)
    else:
        yield _ram_sharing("ram.amazonaws.com" in trusted, exists=isinstance(facts.stack, Mapping))
    if isinstance(administrators, Unknown):
        yield unknown_check("IPAM administrator", "organizations:ListDelegatedAdministrators", administrators)
    else:
        yield _administrator(facts, administrators)


def _ram_sharing(enabled: bool, *, exists: bool) -> Check:
    if enabled or not exists:
        return Check("RAM sharing", "ok", f"{'Enabled' if enabled else 'Not enabled yet; the stack enables it'}.")
    return Check(
        "RAM sharing",
        "warning",
        "Off, so accounts get no pools. In the management account, run `aws ram enable-sharing-with-aws-organization`.",
    )


def _administrator(facts: Facts, administrators: Sequence[str]) -> Check:
    about = "IPAM administrator"
    network_account_id = facts.network_account_id
    if isinstance(facts.stack, Mapping):  # whose pools stay where they are, whatever is given
        network_account_id = facts.stack.get("NetworkAccountId", network_account_id)
    try:
        if network_account_id:
            with short_names():
                refuse_another_administrator(administrators, network_account_id, new=facts.stack is None)
    except Refused as refusal:
        return Check(about, "failed", str(refusal))
    if isinstance(facts.stack, Mapping) and not administrators:
        return Check(about, "warning", not_monitored(administrators, network_account_id, facts.region))
    found = (
        f"Account {administrators[0]}." if administrators else "None yet; the stack appoints the Networking account."
    )
    return Check(about, "ok", found)


def _bucket(facts: Facts) -> Iterator[Check]:
    name, region = facts.parameters.get("LambdaBucket", ""), facts.bucket_region
    if isinstance(region, Unknown):
        yield unknown_check("Bucket", "s3:GetBucketLocation", region)
    elif not region:
        yield Check("Bucket", "failed", f"There is no bucket {name}. Create it: aws s3 mb s3://{name}")
    else:
        yield Check("Bucket", "ok", f"{name} is in {region}.")


def _events(facts: Facts) -> Iterator[Check]:
    trails = facts.trails
    if isinstance(trails, Unknown):
        yield unknown_check("Trail", "cloudtrail:DescribeTrails, GetTrailStatus and GetEventSelectors", trails)
    elif trails:
        yield Check("Trail", "ok", f"{trails[0]} logs in {facts.region}, so EventBridge gets the events of accounts.")
    else:
        yield Check(
            "Trail",
            "warning",
            f"No trail logs changes in {facts.region}, so EventBridge may get no events of new accounts; the schedule "
            "finds them within the hour. Enable CloudTrail in the landing zone settings.",
        )
    source = EVENTS_REGION.get(facts.partition, facts.region)
    if source != facts.region:
        yield Check(
            "Organizations events",
            "warning",
            f"Organizations sends its events to {source}. Deploy templates/organizations-events.template.yaml there, "
            "or let the schedule find moved accounts within the hour.",
        )


def _stack(facts: Facts) -> Iterator[Check]:
    if isinstance(facts.stack, Unknown):
        yield unknown_check("Stack", "cloudformation:DescribeStacks", facts.stack)
    elif isinstance(facts.stack_state, Unknown):
        permissions = "cloudformation:ListStackInstances, and cloudformation:DescribeStacks in the Networking account"
        yield unknown_check("Networking stack", permissions, facts.stack_state)
    elif facts.stack_state:
        yield Check("Stack", "failed", facts.stack_state)


def _other_deployments(facts: Facts) -> Iterator[Check]:
    if facts.stack is None and isinstance(facts.deployments, Unknown):  # else their refusal is the state of the stack
        permissions = "ec2:DescribeIpamPools and cloudformation:DescribeStacks in the Networking account"
        yield unknown_check("Other deployments", permissions, facts.deployments)


CHECKS: tuple[Callable[[Facts], Iterator[Check]], ...] = (
    _credentials,
    _landing_zone,
    _stack,
    networking.account,
    networking.roles,
    networking.enabled_regions,
    networking.policies,
    _organization,
    _other_deployments,
    networking.ipam,
    preflight_environments.environments,
    preflight_quotas.pools,
    preflight_quotas.shares,
    networking.controls,
    _bucket,
    _events,
)

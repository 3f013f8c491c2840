"""CloudFormation: the resource types that ministack lacks, and the rollback of a failed creation.

AWS::EC2::IPAM and AWS::EC2::IPAMPool wait until their operation has ended, as AWS's handlers do. They run on worker
threads: a wait on the event loop would block the server that it waits for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_models.errors import AwsError
from aws_models.models import Models
from landing_zone.on_ministack import authorization
from landing_zone.on_ministack.internals import custom_resource, provisioners, responses, stacks

Properties = dict[str, Any]
Provisioned = tuple[str, dict[str, Any]]  # Ref, and what Fn::GetAtt knows

POLL_S = 0.02  # real time; the models' clock runs faster
PATIENCE_S = 120  # real time, after which a resource did not stabilize
RESPONSE_BYTES = 4096  # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html

POOL_CREATE_ONLY = (
    "IpamScopeId",
    "SourceIpamPoolId",
    "Locale",
    "AddressFamily",
    "PubliclyAdvertisable",
    "PublicIpSource",
    "AwsService",
    "SourceResource",
)
POOL_RULES = (
    "Description",
    "AllocationMinNetmaskLength",
    "AllocationMaxNetmaskLength",
    "AllocationDefaultNetmaskLength",
)
POOL_ATTRIBUTES = {
    "IpamPoolArn": "Arn",
    "IpamArn": "IpamArn",
    "IpamScopeArn": "IpamScopeArn",
    "IpamScopeType": "IpamScopeType",
    "PoolDepth": "PoolDepth",
    "State": "State",
    "StateMessage": "StateMessage",
    "IpamPoolId": "IpamPoolId",
}
IPAM_ATTRIBUTES = {
    "IpamArn": "Arn",
    "IpamId": "IpamId",
    "PrivateDefaultScopeId": "PrivateDefaultScopeId",
    "PublicDefaultScopeId": "PublicDefaultScopeId",
    "ScopeCount": "ScopeCount",
    "DefaultResourceDiscoveryId": "DefaultResourceDiscoveryId",
    "DefaultResourceDiscoveryAssociationId": "DefaultResourceDiscoveryAssociationId",
    "ResourceDiscoveryAssociationCount": "ResourceDiscoveryAssociationCount",
}


class HandlerFailure(Exception):
    """A resource handler failed.

    physical_id  id of a half-made resource, which the rollback deletes
    """

    def __init__(self, message: str, code: str = "GeneralServiceException", physical_id: str = "") -> None:
        token = responses.new_uuid()
        super().__init__(
            f'Resource handler returned message: "{message}" (RequestToken: {token}, HandlerErrorCode: {code})'
        )
        self.physical_id = physical_id


def wait(until: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until it is true. Raises HandlerFailure after patience_s seconds."""
    deadline = time.monotonic() + patience_s
    while not until():
        if time.monotonic() > deadline:
            raise HandlerFailure(f"Exceeded attempts to wait: {what}", "NotStabilized")
        time.sleep(POLL_S)


class IpamResource:
    """Base of AWS::EC2::IPAM and AWS::EC2::IPAMPool, which call EC2 in the stack's account and Region."""

    def __init__(self, models: Models) -> None:
        self._ipam = models.ipam

    def _call(self, action: str, **params: Any) -> dict[str, Any]:
        given = {name: value for name, value in params.items() if value is not None}
        try:
            return self._ipam.call(action, given, authorization.caller_of_request())
        except AwsError as refused:
            raise _failure(refused) from refused

    def _finish_creation(self, physical_id: str, then: Callable[[], None]) -> None:
        """Run the rest of a creation; a failure names the resource, which the rollback then deletes."""
        try:
            then()
        except HandlerFailure as failure:
            failure.physical_id = physical_id
            raise

    def _retag(self, resource_id: str, old: Properties, new: Properties) -> None:
        before, after = _tags(old), _tags(new)
        caller = authorization.caller_of_request()
        if gone := [key for key in before if key not in after]:
            self._ipam.untag(resource_id, gone, caller)
        if after != before:
            self._ipam.tag(resource_id, after, caller)


class IpamType(IpamResource):
    """AWS::EC2::IPAM"""

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Provisioned:
        made = self._call(
            "CreateIpam",
            Description=properties.get("Description"),
            OperatingRegions=properties.get("OperatingRegions"),
            Tier=properties.get("Tier"),
            TagSpecifications=_specifications("ipam", properties),
        )["Ipam"]
        self._finish_creation(made["IpamId"], lambda: self._wait(made["IpamId"]))
        return made["IpamId"], self._attributes(made["IpamId"])

    def update(self, ipam_id: str, old: Properties, new: Properties, _stack_name: str) -> Provisioned:
        before, after = ({one["RegionName"] for one in given.get("OperatingRegions", [])} for given in (old, new))
        changes = {
            "AddOperatingRegions": [{"RegionName": name} for name in sorted(after - before)] or None,
            "RemoveOperatingRegions": [{"RegionName": name} for name in sorted(before - after)] or None,
            "Description": _changed("Description", old, new),
            "Tier": _changed("Tier", old, new),
        }
        if any(value is not None for value in changes.values()):
            self._call("ModifyIpam", IpamId=ipam_id, **changes)
            self._wait(ipam_id)
        self._retag(ipam_id, old, new)
        return ipam_id, self._attributes(ipam_id)

    def delete(self, ipam_id: str, _properties: Properties) -> None:
        if self._find(ipam_id) is None:
            return
        self._call("DeleteIpam", IpamId=ipam_id)
        wait(lambda: self._find(ipam_id) is None, f"{ipam_id} to be deleted")

    def _find(self, ipam_id: str) -> dict[str, Any] | None:
        return _find(self._call, "DescribeIpams", "Ipams", IpamIds=[ipam_id])

    def _wait(self, ipam_id: str) -> None:
        _wait_until_ready(ipam_id, lambda: self._find(ipam_id))

    def _attributes(self, ipam_id: str) -> dict[str, Any]:
        return _attributes(self._find(ipam_id), IPAM_ATTRIBUTES)


class PoolType(IpamResource):
    """AWS::EC2::IPAMPool. It waits for its CIDRs, and fails to delete a pool with CIDRs that others provisioned."""

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Provisioned:
        made = self._call(
            "CreateIpamPool",
            **{name: properties[name] for name in POOL_CREATE_ONLY if name in properties},
            **_rules(properties),
            AutoImport=provisioners._cfn_bool(properties["AutoImport"]) if "AutoImport" in properties else None,
            AllocationResourceTags=properties.get("AllocationResourceTags"),
            TagSpecifications=_specifications("ipam-pool", properties),
        )["IpamPool"]
        pool_id = made["IpamPoolId"]

        def fill() -> None:
            self._wait(pool_id)
            self._provision(pool_id, _cidrs(properties))

        self._finish_creation(pool_id, fill)
        return pool_id, self._attributes(pool_id)

    def update(self, pool_id: str, old: Properties, new: Properties, _stack_name: str) -> Provisioned:
        before, after = _allocation_tags(old), _allocation_tags(new)
        changes = {
            **{name: value for name, value in _rules(new).items() if value != _rules(old).get(name)},
            "AddAllocationResourceTags": _pairs(after - before),
            "RemoveAllocationResourceTags": _pairs(before - after),
        }
        if any(value is not None for value in changes.values()):
            self._call("ModifyIpamPool", IpamPoolId=pool_id, **changes)
            self._wait(pool_id)
        self._provision(pool_id, _cidrs(new) - _cidrs(old))
        self._deprovision(pool_id, _cidrs(old) - _cidrs(new))
        self._retag(pool_id, old, new)
        return pool_id, self._attributes(pool_id)

    def delete(self, pool_id: str, properties: Properties) -> None:
        if self._find(pool_id) is None:
            return
        here = {cidr for cidr, row in self._rows(pool_id).items() if row["State"] != "failed-provision"}
        if here - _cidrs(properties):
            raise HandlerFailure(
                "The pool could not be removed because some provisions were created outside CloudFormation.",
                "InvalidRequest",
            )
        self._deprovision(pool_id, here)
        self._call("DeleteIpamPool", IpamPoolId=pool_id)
        wait(lambda: self._find(pool_id) is None, f"{pool_id} to be deleted")

    def _provision(self, pool_id: str, cidrs: set[str]) -> None:
        for cidr in sorted(cidrs):
            self._call("ProvisionIpamPoolCidr", IpamPoolId=pool_id, Cidr=cidr)
            self._wait_for_cidr(pool_id, cidr, "provisioned")

    def _deprovision(self, pool_id: str, cidrs: set[str]) -> None:
        for cidr in sorted(cidrs):
            self._call("DeprovisionIpamPoolCidr", IpamPoolId=pool_id, Cidr=cidr)
            self._wait_for_cidr(pool_id, cidr, "deprovisioned")

    def _wait_for_cidr(self, pool_id: str, cidr: str, state: str) -> None:
        def ended() -> bool:
            row = self._rows(pool_id).get(cidr)
            if row is None:  # not listed yet, or not any more
                return state == "deprovisioned"
            if row["State"].startswith("failed-"):
                reason = row.get("FailureReason", {}).get("Message", "")
                raise HandlerFailure(f"{cidr}: {reason}", "NotStabilized")
            return bool(row["State"] == state)

        wait(ended, f"{cidr} to be {state}")

    def _rows(self, pool_id: str) -> dict[str, dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        token = None
        while True:
            page = self._call("GetIpamPoolCidrs", IpamPoolId=pool_id, NextToken=token)
            here = [row for row in page["IpamPoolCidrs"] if row["State"] != "deprovisioned"]
            rows |= {row["Cidr"]: row for row in here if "Cidr" in row}
            token = page.get("NextToken")
            if not token:
                return rows

    def _find(self, pool_id: str) -> dict[str, Any] | None:
        return _find(self._call, "DescribeIpamPools", "IpamPools", IpamPoolIds=[pool_id])

    def _wait(self, pool_id: str) -> None:
        _wait_until_ready(pool_id, lambda: self._find(pool_id))

    def _attributes(self, pool_id: str) -> dict[str, Any]:
        return _attributes(self._find(pool_id), POOL_ATTRIBUTES)


class VpcType:
    """ministack's AWS::EC2::VPC; with Ipv4IpamPoolId the model chooses the CIDR."""

    def __init__(self, models: Models, own: Mapping[str, Any]) -> None:
        self._ipam = models.ipam
        self._create, self._delete = own["create"], own["delete"]

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        if "Ipv4IpamPoolId" not in properties:
            plain: Provisioned = self._create(logical_id, properties, stack_name)
            return plain
        wanted: dict[str, Any] = {"Ipv4IpamPoolId": properties["Ipv4IpamPoolId"]}
        if "Ipv4NetmaskLength" in properties:
            wanted["Ipv4NetmaskLength"] = int(properties["Ipv4NetmaskLength"])
        wanted["TagSpecifications"] = _specifications("vpc", properties) or []
        try:
            allocation = self._ipam.allocate_vpc(wanted, authorization.caller_of_request())
        except AwsError as refused:
            raise _failure(refused) from refused
        try:
            vpc_id, attributes = self._create(logical_id, properties | {"CidrBlock": allocation.cidr}, stack_name)
        except Exception:
            self._ipam.vpc_refused(allocation)
            raise
        self._ipam.vpc_created(allocation, vpc_id)
        return vpc_id, attributes | {"CidrBlock": allocation.cidr}

    def delete(self, vpc_id: str, properties: Properties) -> None:
        self._delete(vpc_id, properties)
        self._ipam.vpc_deleted(vpc_id)


class FailedCreates:
    """Let the rollback delete the resource whose creation failed too, as AWS does. ministack omits it.

    To go when stacks._roll_back_operation does so itself.
    """

    def __init__(self) -> None:
        self._half_made: dict[tuple[str, ...], dict[str, Any]] = {}
        self._answered: dict[tuple[str, str], str] = {}  # stack id, logical id -> PhysicalResourceId of a FAILED answer

    def install(self) -> None:
        provision, roll_back = stacks._provision_resource, stacks._roll_back_operation

        def provision_resource(type_name: str, logical_id: str, properties: Properties, stack_name: str) -> Any:
            try:
                return provision(type_name, logical_id, properties, stack_name)
            except Exception as failure:
                if physical_id := self._physical_id(failure, type_name, logical_id, stack_name):
                    self._half_made[_here(stack_name, logical_id)] = {
                        "PhysicalResourceId": physical_id,
                        "ResourceType": type_name,
                        "Properties": properties,
                    }
                raise

        async def roll_back_operation(stack_name: str, stack_id: str, stack: Any, operation: Any, *rest: Any) -> Any:
            failed = operation.get("failed_logical_id") or ""
            record = self._half_made.pop(_here(stack_name, failed), None)
            if record and operation.get("failed_update") is None:
                stack.setdefault("_resources", {})[failed] = record
                operation["created"] = [*operation["created"], failed]
            return await roll_back(stack_name, stack_id, stack, operation, *rest)

        stacks._provision_resource = provision_resource
        stacks._roll_back_operation = roll_back_operation
        self._watch_responses()

    def _physical_id(self, failure: Exception, type_name: str, logical_id: str, stack_name: str) -> str:
        if not _is_custom(type_name):
            return getattr(failure, "physical_id", "")
        # Without an answer CloudFormation makes an id up, and deletes under that.
        invented = f"{stack_name}-{logical_id}-{responses.new_uuid()[:12].upper()}"
        return self._answered.pop((provisioners._cr_stack_id(stack_name), logical_id), invented)

    def _watch_responses(self) -> None:
        deliver = custom_resource.deliver_response

        def deliver_response(token: str, response: dict[str, Any]) -> bool:
            read = as_cloudformation_reads(response)
            awaited = custom_resource._pending.get(token)
            if awaited and awaited["result"] is None and read["Status"] == "FAILED":
                asked = (read.get("StackId", ""), read.get("LogicalResourceId", ""))
                self._answered[asked] = read["PhysicalResourceId"]
            return bool(deliver(token, read))

        custom_resource.deliver_response = deliver_response


def as_cloudformation_reads(response: dict[str, Any]) -> dict[str, Any]:
    """Return a custom resource's answer, or a failure if the answer breaks the contract.

    Source  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
    """
    physical_id = response.get("PhysicalResourceId")
    reason = ""
    if len(_compact(response)) > RESPONSE_BYTES:
        reason = "Response object is too long."
    elif response.get("Status") not in ("SUCCESS", "FAILED"):
        reason = "Invalid Response object: Value of Status property must be SUCCESS or FAILED"
    elif not isinstance(physical_id, str) or not 0 < len(physical_id) <= 1024:
        reason, physical_id = "Invalid PhysicalResourceId", "invalid"
    elif response["Status"] == "FAILED" and not response.get("Reason"):
        reason = "Invalid Response object: Reason is required when Status is FAILED"
    if not reason:
        return response
    return response | {"Status": "FAILED", "Reason": reason, "PhysicalResourceId": physical_id or "invalid", "Data": {}}


def register(type_name: str, handler: Any, create_only: tuple[str, ...] = ()) -> None:
    """Register a resource type. `handler` has create, update and delete, which may block."""
    provisioners._RESOURCE_HANDLERS[type_name] = {
        "create": handler.create,
        "update": handler.update,
        "delete": handler.delete,
    }
    provisioners._REPLACING_PROPERTIES[type_name] = create_only


def install(models: Models) -> None:
    register("AWS::EC2::IPAM", IpamType(models))
    register("AWS::EC2::IPAMPool", PoolType(models), POOL_CREATE_ONLY)
    for type_name in ("AWS::EC2::IPAM", "AWS::EC2::IPAMPool"):
        provisioners._STACK_TAG_PROPERTY[type_name] = ("Tags", "list")
    own = provisioners._RESOURCE_HANDLERS["AWS::EC2::VPC"]
    vpc = VpcType(models, own)
    provisioners._RESOURCE_HANDLERS["AWS::EC2::VPC"] = own | {"create": vpc.create, "delete": vpc.delete}
    provisioners._REPLACING_PROPERTIES["AWS::EC2::VPC"] = (
        *provisioners._REPLACING_PROPERTIES.get("AWS::EC2::VPC", ()),
        "Ipv4IpamPoolId",
        "Ipv4NetmaskLength",
    )
    blocking = ("AWS::EC2::IPAM", "AWS::EC2::IPAMPool", "AWS::CloudFormation::StackSet")
    runs_on_worker, sends_back = stacks._runs_on_worker_thread, stacks._sends_back_failed_update
    stacks._runs_on_worker_thread = lambda name: name in blocking or runs_on_worker(name)
    # These may have changed something before they failed.
    stacks._sends_back_failed_update = lambda name: name in blocking or sends_back(name)
    FailedCreates().install()


def _here(stack_name: str, logical_id: str) -> tuple[str, ...]:
    return responses.get_account_id(), responses.get_region(), stack_name, logical_id


def _is_custom(type_name: str) -> bool:
    return type_name.startswith("Custom::") or type_name == "AWS::CloudFormation::CustomResource"


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _failure(refused: AwsError) -> HandlerFailure:
    code = "NotFound" if refused.code.endswith(".NotFound") else "InvalidRequest"
    return HandlerFailure(f"{refused.message} (Service: Ec2, Status Code: {refused.status}, {refused.code})", code)


def _find(call: Callable[..., dict[str, Any]], action: str, member: str, **wanted: Any) -> dict[str, Any] | None:
    try:
        found = [one for one in call(action, **wanted)[member] if one["State"] != "delete-complete"]
    except HandlerFailure as failure:
        if ".NotFound" in str(failure):
            return None
        raise
    return found[0] if found else None


def _wait_until_ready(resource_id: str, find: Callable[[], dict[str, Any] | None]) -> None:
    def ended() -> bool:
        seen = find() or {"State": "pending"}
        if seen["State"].endswith("-failed"):
            raise HandlerFailure(f"{resource_id} is {seen['State']}: {seen.get('StateMessage', '')}", "NotStabilized")
        return seen["State"] in ("create-complete", "modify-complete")

    wait(ended, f"{resource_id} to be ready")


def _attributes(found: dict[str, Any] | None, names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: (found or {})[theirs] for theirs, ours in names.items() if theirs in (found or {})}


def _tags(properties: Properties) -> dict[str, str]:
    """Return the tags of the template and of the stack, except those that CloudFormation sets itself."""
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:")}


def _specifications(resource_type: str, properties: Properties) -> list[dict[str, Any]] | None:
    tags = [{"Key": key, "Value": value} for key, value in _tags(properties).items()]
    return [{"ResourceType": resource_type, "Tags": tags}] if tags else None


def _cidrs(properties: Properties) -> set[str]:
    return {one["Cidr"] for one in properties.get("ProvisionedCidrs", [])}


def _allocation_tags(properties: Properties) -> set[tuple[str, str]]:
    return {(tag["Key"], tag["Value"]) for tag in properties.get("AllocationResourceTags", [])}


def _pairs(tags: set[tuple[str, str]]) -> list[dict[str, str]] | None:
    return [{"Key": key, "Value": value} for key, value in sorted(tags)] or None


def _rules(properties: Properties) -> dict[str, Any]:
    return {
        name: properties[name] if name == "Description" else int(properties[name])
        for name in POOL_RULES
        if name in properties
    }


def _changed(name: str, old: Properties, new: Properties) -> Any:
    return new.get(name) if new.get(name) != old.get(name) else None

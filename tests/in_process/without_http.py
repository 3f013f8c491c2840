"""Calls of boto3 that reach the models, and moto's Organizations and STS, without HTTP: most of what they cost.

What botocore does before and after HTTP stays: tokens are made, parameters are checked, errors have their classes and
handlers see the answer. There are no retries. What goes over the wire is proved with the models themselves and on the
engine.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from botocore import xform_name
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.iam.models import get_account_id_from
from moto.organizations.responses import OrganizationsResponse
from moto.sts.models import sts_backends

from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller

Parameters = Mapping[str, Any]


def ask(models: Models, client: Any, operation: str, parameters: Parameters) -> Any:
    """Return the answer to a call, or None for an operation that needs HTTP. Raises ClientError."""
    service = client.meta.service_model.service_name
    answering: dict[str, Any] = {"ec2": models.ipam, "ram": models.ram}
    tagged = parameters.get("Resources", []) if operation == "CreateTags" else []
    tags = bool(tagged) and all(map(models.ipam.holds, tagged))
    if service in answering:
        answers = tags or operation in answering[service].ACTIONS
    else:
        answers = service == "organizations" or operation == "AssumeRole"
    if not answers:
        return None
    described = client.meta.service_model.operation_model(operation)
    sent = client._emit_api_params(copy.deepcopy(parameters), described, {"client_region": client.meta.region_name})
    _check(sent, described.input_shape)
    caller = Caller(get_account_id_from(client._request_signer._credentials.access_key), client.meta.region_name)
    if service == "sts":
        return _assume_role(sent, caller)
    if service == "organizations":
        answer = _ask_organizations(client, described, sent, caller)
    elif tags:
        answer = _answered(lambda: _tag(models, sent, caller), described)
    else:
        answer = _answered(lambda: answering[service].call(operation, sent, caller), described)
    client.meta.events.emit(
        f"after-call.{client.meta.service_model.service_id.hyphenize()}.{operation}",
        http_response=None,
        parsed=answer,
        model=described,
        context={},
    )
    if "Error" in answer:
        raise client.exceptions.from_code(answer["Error"]["Code"])(answer, operation)
    return answer


def _check(values: Parameters, shape: Any) -> None:
    report = ParamValidator().validate(values, shape) if shape else None
    if report and report.has_errors():
        raise ParamValidationError(report=report.generate_report())


def _tag(models: Models, sent: Parameters, caller: Caller) -> dict[str, Any]:
    tags = {tag["Key"]: tag.get("Value", "") for tag in sent["Tags"]}
    for resource_id in sent["Resources"]:
        models.ipam.tag(resource_id, tags, caller)
    return {}


def _answered(act: Callable[[], dict[str, Any]], described: Any) -> dict[str, Any]:
    metadata = {"RequestId": str(uuid4()), "RetryAttempts": 0}
    try:
        answer = act()
    except AwsError as refused:
        error = {"Code": refused.code, "Message": refused.message}
        return {"Error": error, "ResponseMetadata": metadata | {"HTTPStatusCode": refused.status}}
    _check(answer, described.output_shape)
    return {**answer, "ResponseMetadata": metadata | {"HTTPStatusCode": 200}}


def _ask_organizations(client: Any, described: Any, sent: Parameters, caller: Caller) -> dict[str, Any]:
    response: Any = OrganizationsResponse()
    response.body, response.partition = json.dumps(sent), "aws"
    response.current_account, response.region = caller.account_id, caller.region
    status = 200
    try:
        body = getattr(response, xform_name(described.name))()
    except JsonRESTError as refused:
        status, body = refused.code, refused.description
    except ServiceException as refused:
        status, body = 400, json.dumps({"__type": refused.code, "message": refused.message})
    http = {"status_code": status, "headers": {"x-amzn-requestid": str(uuid4())}, "body": body.encode()}
    answer: dict[str, Any] = client._response_parser.parse(http, described.output_shape)
    return answer


def _assume_role(sent: Parameters, caller: Caller) -> dict[str, Any]:
    role = sts_backends[caller.account_id]["aws"].assume_role(
        caller.region, sent["RoleSessionName"], sent["RoleArn"], sent.get("Policy", ""), 3600, ""
    )
    credentials = {
        "AccessKeyId": role.access_key_id,
        "SecretAccessKey": role.secret_access_key,
        "SessionToken": role.session_token,
        "Expiration": role.expiration,
    }
    return {"Credentials": credentials, "AssumedRoleUser": {"AssumedRoleId": role.user_id, "Arn": role.arn}}

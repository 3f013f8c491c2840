"""Calls of boto3 that reach the models without HTTP, which is most of what a call costs.

What botocore does before and after HTTP stays: tokens are made, parameters are checked, errors have their classes and
handlers see the answer. What goes over the wire is proved with the models themselves and on the engine.
"""

from __future__ import annotations

import copy
from typing import Any
from uuid import uuid4

from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator
from moto.iam.models import get_account_id_from

from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller


def ask(models: Models, client: Any, operation: str, parameters: Any) -> Any:
    """Return a model's answer to a call, or None if no model answers this operation. Raises ClientError."""
    answering: dict[str, Any] = {"ec2": models.ipam, "ram": models.ram}
    model = answering.get(client.meta.service_model.service_name)
    if model is None or operation not in model.ACTIONS:
        return None
    described = client.meta.service_model.operation_model(operation)
    sent = client._emit_api_params(copy.deepcopy(parameters), described, {"client_region": client.meta.region_name})
    _check(sent, described.input_shape)
    credentials = client._request_signer._credentials
    caller = Caller(get_account_id_from(credentials.access_key), client.meta.region_name)
    metadata = {"RequestId": str(uuid4()), "RetryAttempts": 0}
    try:
        answer = copy.deepcopy(model.call(operation, sent, caller))
    except AwsError as error:
        refused: dict[str, Any] = {"Error": {"Code": error.code, "Message": error.message}}
        refused["ResponseMetadata"] = metadata | {"HTTPStatusCode": error.status}
        _tell(client, described, refused)
        raise client.exceptions.from_code(error.code)(refused, operation) from error
    if described.output_shape is not None:
        _check(answer, described.output_shape)
    answer["ResponseMetadata"] = metadata | {"HTTPStatusCode": 200}
    _tell(client, described, answer)
    return answer


def _check(values: Any, shape: Any) -> None:
    report = ParamValidator().validate(values, shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())


def _tell(client: Any, described: Any, answer: dict[str, Any]) -> None:
    name = f"after-call.{client.meta.service_model.service_id.hyphenize()}.{described.name}"
    client.meta.events.emit(name, http_response=None, parsed=answer, model=described, context={})

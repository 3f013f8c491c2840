"""Requests and answers of EC2 and STS (query and XML) and RAM (REST and JSON), as botocore writes and reads them.

moto's generic parsers and serializers read AWS's service models, so no action needs code of its own here. `params`
and `result` are what a boto3 caller would pass and get, without ResponseMetadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qs

from botocore.validate import ParamValidator
from moto.core.errors import ErrorLookupFactory
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS, RequestDict
from moto.core.serialize import ResponseDict, SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.datastructures import Headers, MultiDict

from aws_models.errors import AwsError

Service = Literal["ec2", "ram", "sts"]
HttpAnswer = tuple[int, dict[str, str], bytes]  # status, headers, body

JSON = "application/json"


def parse(
    service: Service,
    action: str,
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    query: Mapping[str, list[str]],
    body: bytes,
) -> dict[str, Any]:
    """Return the parameters that boto3 was given, without those that were not sent.

    query   decoded parameters of the URL; those of EC2 and STS may also stand in the body as a form
    """
    values = dict(query)
    if service != "ram":
        # Blank values count: EC2 tells Description="" from no description at all.
        values |= parse_qs(body.decode(), keep_blank_values=True)
    request: RequestDict = {
        "method": method,
        "url_path": path,
        "url_params": {},  # none of these services puts a parameter into the path
        "headers": Headers(dict(headers)),
        "values": MultiDict((name, value) for name, several in values.items() for value in several),
        "body": body,
    }
    return PROTOCOL_PARSERS[_protocol(service)](_operation(service, action)).parse(request)


def answer(service: Service, action: str, result: dict[str, Any], request_id: str) -> HttpAnswer:
    """Return the HTTP answer of a successful call.

    Raises  TypeError if AWS's model does not know the result; a serializer would drop unknown names in silence
    """
    operation = _operation(service, action)
    if operation.output_shape is not None:
        report = ParamValidator().validate(result, operation.output_shape)
        if report.has_errors():
            raise TypeError(f"{action} cannot answer this: {report.generate_report()}")
    return _http(_serialize(service, operation, result, request_id), request_id)


def refusal(service: Service, action: str, error: AwsError, request_id: str) -> HttpAnswer:
    """Return the HTTP answer of an error. RAM's model sets the status; for EC2 the error itself does."""
    if service == "ram":
        return _ram_refusal(error, request_id)
    response = _serialize(service, _operation(service, action), error, request_id)
    response["status_code"] = error.status
    return _http(response, request_id)


def ram_action(method: str, path: str) -> str | None:
    """Return the RAM action of this URL, or None if there is none."""
    return _ram_actions().get((method.upper(), path.rstrip("/")))


def _ram_refusal(error: AwsError, request_id: str) -> HttpAnswer:
    # moto's serializer warns of every code that RAM's model does not list, such as AccessDeniedException.
    shape = ErrorLookupFactory().for_service(_model("ram")).from_code(error.code)
    status = shape.metadata["error"]["httpStatusCode"] if shape else error.status
    headers = {"Content-Type": JSON, "x-amzn-ErrorType": error.code, "x-amzn-RequestId": request_id}
    return status, headers, json.dumps({"message": error.message}).encode()


def _serialize(service: Service, operation: OperationModel, result: object, request_id: str) -> ResponseDict:
    serializer = get_serializer_class(service, _protocol(service))
    return serializer(operation, context=SerializationContext(request_id)).serialize(result)


def _http(response: ResponseDict, request_id: str) -> HttpAnswer:
    body = response["body"]
    headers = {**response["headers"], "x-amzn-RequestId": request_id}
    return response["status_code"], headers, body.encode() if isinstance(body, str) else body


def _operation(service: Service, action: str) -> OperationModel:
    operation: OperationModel = _model(service).operation_model(action)  # botocore's cache around it hides the type
    return operation


def _protocol(service: Service) -> str:
    return str(_model(service).protocol)


@lru_cache
def _model(service: Service) -> ServiceModel:
    return get_service_model(service)


@lru_cache
def _ram_actions() -> dict[tuple[str, str], str]:
    model = _model("ram")
    https = {name: model.operation_model(name).http for name in model.operation_names}
    return {(http["method"], http["requestUri"]): name for name, http in https.items()}

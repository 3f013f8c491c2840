"""Lists in pages, with filters."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aws_models.errors import AwsError
from aws_models.ram.records import Association, Share, times
from aws_models.ram.requests import IPAM_POOL, Params


@dataclass(frozen=True)
class Row:
    """An item of a list.

    number   never changes, so that pages hold while the list does not
    wanted   do the filters of the request let it through
    """

    number: int
    share: Share
    shown: dict[str, Any]
    wanted: bool


def page(member: str, rows: Iterable[Row], params: Params, page_size: int) -> dict[str, Any]:
    """Return {member: [...], "nextToken": ...}, newest first. The filters apply after the page is cut.

    "These operations can occasionally return an empty set of results even when there are more results available."
    https://docs.aws.amazon.com/ram/latest/APIReference/API_GetResourceShares.html
    """
    size, before = params.get("maxResults", page_size), _read_token(params)
    arns = params.get("resourceShareArns")
    rest = sorted((row for row in rows if row.number < before), key=lambda row: -row.number)
    shown = [row.shown for row in rest[:size] if row.wanted and (not arns or row.share.arn in arns)]
    return {member: shown} | ({"nextToken": _token(params, rest[size - 1].number)} if len(rest) > size else {})


def share_row(share: Share, params: Params, reader: str) -> Row:
    shown = share.shown(reader)
    tags = {tag["key"]: tag["value"] for tag in shown.get("tags", [])}
    wanted = (
        params.get("name", share.name) == share.name
        and params.get("resourceShareStatus", share.status) == share.status
        and all(_has_tag(tags, wish) for wish in params.get("tagFilters", []))
    )
    return Row(share.number, share, shown, wanted)


def association_row(association: Association, params: Params) -> Row:
    entity, status = params.get("principal", params.get("resourceArn")), params.get("associationStatus")
    wanted = entity in (None, association.entity) and status in (None, association.status)
    return Row(association.number, association.share, association.shown(), wanted)


def resource_row(association: Association, params: Params, now: float) -> Row:
    """Without `status`, which the API has and the answers that are published lack.

    https://docs.aws.amazon.com/cli/latest/reference/ram/list-resources.html
    """
    share, arns, principal = association.share, params.get("resourceArns"), params.get("principal")
    shown = {
        "arn": association.entity,
        "type": IPAM_POOL,
        "resourceShareArn": share.arn,
        "resourceRegionScope": "REGIONAL",
        **times(association),
    }
    wanted = (not arns or association.entity in arns) and (
        not principal or principal in share.associated("PRINCIPAL", now)
    )
    return Row(association.number, share, shown, wanted)


def principal_row(association: Association, principal: str, params: Params, now: float) -> Row:
    share, principals, arn = association.share, params.get("principals"), params.get("resourceArn")
    shown = {
        "id": principal,
        "resourceShareArn": share.arn,
        "external": association.external,
        **times(association),
    }
    wanted = (not principals or principal in principals) and (not arn or arn in share.associated("RESOURCE", now))
    return Row(association.number, share, shown, wanted)


def _has_tag(tags: dict[str, str], wish: dict[str, Any]) -> bool:
    """Return whether the tags match.

    wish   {"tagKey": ..., "tagValues": [...]}; without values any value matches
    """
    key, values = wish["tagKey"], wish.get("tagValues")
    return key in tags and (not values or tags[key] in values)


def _token(params: Params, number: int) -> str:
    return base64.urlsafe_b64encode(f"{number} {_question(params)}".encode()).decode()


def _read_token(params: Params) -> float:
    """Return the number that all items of the page are below."""
    if "nextToken" not in params:
        return float("inf")
    try:
        number, _, question = base64.urlsafe_b64decode(params["nextToken"]).decode().partition(" ")
    except ValueError:
        number = question = ""
    if question != _question(params):
        raise AwsError("InvalidNextTokenException", "The specified value for nextToken is not valid.")
    return int(number)


def _question(params: Params) -> str:
    """Return what identifies the request: a token is valid for the same request only."""
    question = {name: value for name, value in params.items() if name not in ("nextToken", "maxResults")}
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()

"""Control Tower's own API, a service that ministack does not have: ListLandingZones and GetLandingZone."""

from __future__ import annotations

import json
from typing import Any

from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.protocol import HttpAnswer
from landing_zone.on_ministack import authorization
from landing_zone.on_ministack.authorization import Check

HEADERS = {"Content-Type": "application/json"}


class ControlTowerApi:
    def __init__(self, models: Models) -> None:
        self._organization = models.organization

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
    ) -> HttpAnswer:
        asked = json.loads(body or b"{}")
        caller = authorization.caller_of_request()
        try:
            if path.rstrip("/") == "/list-landingzones":
                authorization.require([Check("controltower:ListLandingZones")], "controltower", headers, query_params)
                answer: dict[str, Any] = {"landingZones": self._organization.landing_zones(caller)}
            elif path.rstrip("/") == "/get-landingzone":
                arn = asked["landingZoneIdentifier"]
                authorization.require(
                    [Check("controltower:GetLandingZone", arn)], "controltower", headers, query_params
                )
                answer = {"landingZone": self._organization.landing_zone(caller, arn)}
            else:
                raise AwsError("NotEmulated", f"Control Tower: {method} {path}", 501)
        except AwsError as refused:
            return _refusal(refused)
        return 200, HEADERS, json.dumps(answer).encode()


def _refusal(error: AwsError) -> HttpAnswer:
    return error.status, HEADERS | {"x-amzn-ErrorType": error.code}, json.dumps({"message": error.message}).encode()

"""Control Tower's own API, a service that ministack does not have: ListLandingZones."""

from __future__ import annotations

import json

from landing_zone.errors import AwsError
from landing_zone.models import Models
from landing_zone.on_ministack import authorization
from landing_zone.on_ministack.authorization import Check
from landing_zone.protocol import HttpAnswer

HEADERS = {"Content-Type": "application/json"}


class ControlTowerApi:
    def __init__(self, models: Models) -> None:
        self._organization = models.organization

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
    ) -> HttpAnswer:
        if path.rstrip("/") != "/list-landingzones":
            return _refusal(AwsError("NotEmulated", f"Control Tower: {method} {path}", 501))
        try:
            check = Check("controltower:ListLandingZones")
            authorization.require([check], "controltower", headers, query_params)
        except AwsError as refused:
            return _refusal(refused)
        zones = self._organization.landing_zones(authorization.caller_of_request())
        return 200, HEADERS, json.dumps({"landingZones": zones}).encode()


def _refusal(error: AwsError) -> HttpAnswer:
    return error.status, HEADERS | {"x-amzn-ErrorType": error.code}, json.dumps({"message": error.message}).encode()

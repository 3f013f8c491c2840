"""Control Tower's own API, a service that ministack does not have: ListLandingZones and GetLandingZone."""

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
        actions = {"/list-landingzones": "ListLandingZones", "/get-landingzone": "GetLandingZone"}
        action = actions.get(path.rstrip("/"))
        if not action:
            return _refusal(AwsError("NotEmulated", f"Control Tower: {method} {path}", 501))
        try:
            check = Check(f"controltower:{action}")
            authorization.require([check], "controltower", headers, query_params)
        except AwsError as refused:
            return _refusal(refused)
        if action == "GetLandingZone":
            return 200, HEADERS, json.dumps({"landingZone": self._organization.landing_zone()}).encode()
        zones = self._organization.landing_zones(authorization.caller_of_request())
        return 200, HEADERS, json.dumps({"landingZones": zones}).encode()


def _refusal(error: AwsError) -> HttpAnswer:
    return error.status, HEADERS | {"x-amzn-ErrorType": error.code}, json.dumps({"message": error.message}).encode()

"""Sends notices to the SNS topic, each of them once or once a day."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.errors import code_of
from ctipam.logs import log_decision
from ctipam.organization.monitoring import not_monitored
from ctipam.organization.reader import find_ipam_administrators
from ctipam.sessions import Account
from ctipam.settings import SharingSettings
from ctipam.sharing.notices import NOTHING, due, message, notices
from ctipam.sharing.results import SharingResult


def send(management: Account, settings: SharingSettings, result: SharingResult) -> None:
    """Send what is due after a run over all accounts. Remembers it afterwards: better twice than never."""
    administrators = find_ipam_administrators(management.organizations())
    unmonitored = not_monitored(administrators, settings.network_account_id, management.region)
    if unmonitored:
        log_decision("warning", about=unmonitored)
    ssm = management.ssm()
    memory = _read(ssm, settings.notices_parameter)
    to_send, new_memory = due(notices(result, unmonitored), memory, waiting.now())
    if to_send:
        told = message(to_send)
        management.sns().publish(TopicArn=settings.topic_arn, Subject=told.title, Message=told.text)
    if new_memory != memory:
        # With the type, which one that somebody has deleted needs to be created again
        ssm.put_parameter(Name=settings.notices_parameter, Value=new_memory, Type="String", Overwrite=True)


def _read(ssm: Any, name: str) -> str:
    """Return the memory; an empty one if somebody has deleted it, which no update of the stack would create again."""
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if code_of(error) != "ParameterNotFound":
            raise
        return NOTHING

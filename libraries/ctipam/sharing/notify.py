"""Sends notices to the SNS topic, each of them once or once a day."""

from __future__ import annotations

from ctipam import waiting
from ctipam.sessions import Account
from ctipam.settings import SharingSettings
from ctipam.sharing.notices import due, message, notices
from ctipam.sharing.results import SharingResult


def send(management: Account, settings: SharingSettings, result: SharingResult) -> None:
    """Send what is due after a run over all accounts. Remembers it afterwards: better twice than never."""
    ssm = management.ssm()
    memory = ssm.get_parameter(Name=settings.notices_parameter)["Parameter"]["Value"]
    to_send, new_memory = due(notices(result), memory, waiting.now())
    if to_send:
        told = message(to_send)
        management.sns().publish(TopicArn=settings.topic_arn, Subject=told.title, Message=told.text)
    if new_memory != memory:
        ssm.put_parameter(Name=settings.notices_parameter, Value=new_memory, Overwrite=True)

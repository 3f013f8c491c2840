"""Decides what somebody has to be told about the organization, and when, and writes the message.

    once    an OU has accounts and no pools; an environment has no OU yet; somebody has changed the rule of a pool
    daily   somebody has to decide which OU an environment is, or whose a pool is, and until then shares stay as they
            are; IPAM does not monitor the organization

An SSM parameter remembers which notices were sent: a digest of each, with the hour for a daily one.
A notice that no longer holds is forgotten, so that it is sent again when it holds again.

    "7fq2zk 9x0a1b=490123"
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ctipam.messages import Message, listed
from ctipam.sharing.results import SharingResult

MEMORY_LIMIT = 4096
"""Characters. https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""

NOTHING = "none"
"""An empty memory: a parameter cannot be empty."""

HOURS_PER_DAY = 24


@dataclass(frozen=True)
class Notice:
    """key   tells it from others: a problem that has become another is another, but not one of more accounts"""

    key: str
    text: str
    daily: bool = False

    @property
    def digest(self) -> str:
        return base64.b32encode(hashlib.sha256(self.key.encode()).digest())[:6].decode().lower()


def notices(result: SharingResult, unmonitored: str) -> Iterator[Notice]:
    """Yield the notices of a run over all accounts, the daily ones first. unmonitored: see monitoring.not_monitored."""
    if unmonitored:
        yield Notice(f"monitoring {unmonitored}", unmonitored, daily=True)
    for pool in result.doubtful:
        yield Notice(f"doubtful {pool.why}", pool.sentence, daily=True)
    for one in sorted(result.environments, key=lambda one: not one.lasting):
        if one.problem:
            yield Notice(f"environment {one.problem}", one.problem, daily=one.lasting)
    for sentence in result.wrong_rules.values():
        yield Notice(f"rule {sentence}", sentence)
    for unit, accounts in result.without_pools.items():
        if unit:
            text = f"OU {unit.name!r} ({unit.ou_id}) has no pools; accounts in it: {accounts}."
            yield Notice(f"OU {unit.ou_id}", text)


def due(current: Iterable[Notice], memory: str, now: float) -> tuple[list[Notice], str]:
    """Return the notices to send now, and what to remember when they have been sent.

    now   seconds since 1970. An hour counts as a whole: a schedule that is some seconds early is not a day late.
    """
    sent = dict(word.partition("=")[::2] for word in memory.split() if word != NOTHING)
    hour = int(now // 3600)
    to_send: list[Notice] = []
    words: list[str] = []
    for notice in current:
        then = sent.get(notice.digest)
        is_due = then is None or (notice.daily and _is_a_day_ago(then, hour))
        word = f"{notice.digest}={hour if is_due else then}" if notice.daily else notice.digest
        if len(" ".join([*words, word])) > MEMORY_LIMIT:
            break  # what cannot be remembered would be sent at every run; the log has it
        words.append(word)
        to_send += [notice] if is_due else []
    return to_send, " ".join(words) or NOTHING


def _is_a_day_ago(then: str, hour: int) -> bool:
    return not then.isdecimal() or hour - int(then) >= HOURS_PER_DAY


def message(to_send: Sequence[Notice]) -> Message:
    lines = listed([notice.text for notice in to_send])
    return Message(
        "IPAM pools: what needs attention",
        f"{lines}\n\n`make report` shows which OU each environment is, and which OUs have no pools.",
    )

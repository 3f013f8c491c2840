"""What a statement is, and how AWS is judged by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from aws_models.contract.aws import Differs, Unsettled, code_of
from aws_models.contract.ground import Ground
from aws_models.contract.guard import Request

ASSUMED = "assumed"
"""The source of what no document says and nobody reports. The models take the strictest plausible answer."""

Need = Literal["own ipam", "member", "two regions"]
Check = Callable[[Ground], None]

DENIED = (
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "OptInRequired",
)
SHOWN_REQUESTS = 4


@dataclass(frozen=True)
class Statement:
    """A sentence about AWS, and the check of it.

    source    address of a document or report, or ASSUMED
    needs     what the accounts must have
    seconds   about how long it takes on AWS
    settles   functions of the models that say "unverified" of this, for example ipam.pools.check_locale
    modeled   whether the models answer it; if not, they raise NotImplementedError
    """

    says: str
    source: str
    group: str
    check: Check
    needs: tuple[Need, ...] = ()
    seconds: int = 2
    settles: tuple[str, ...] = ()
    modeled: bool = True


@dataclass(frozen=True)
class Outcome:
    """How a statement ended.

    reason     the difference, or why it is unsettled
    requests   of a difference: the last requests before it was seen, the latest first
    notes      figures that AWS gave
    """

    statement: Statement
    verdict: Literal["agrees", "differs", "unsettled"]
    reason: str = ""
    requests: tuple[Request, ...] = ()
    notes: tuple[str, ...] = ()


class Group:
    """The statements of a module, in order.

    makes   what they create, for the person who is asked
    """

    def __init__(self, name: str, makes: str) -> None:
        self.name, self.makes = name, makes
        self.statements: list[Statement] = []

    def states(
        self,
        says: str,
        source: str,
        *needs: Need,
        seconds: int = 2,
        settles: str = "",
        modeled: bool = True,
    ) -> Callable[[Check], Check]:
        """Register the function below as the check of this statement.

        settles   names, separated by blanks
        """

        def register(check: Check) -> Check:
            self.statements.append(
                Statement(says, source, self.name, check, needs, seconds, tuple(settles.split()), modeled)
            )
            return check

        return register


def judge(statement: Statement, aws: Ground) -> Outcome:
    """Try a statement. A refusal that it does not expect is a difference, unless the caller lacks a permission."""
    aws.notes.clear()
    aws.guard.requests.clear()
    try:
        for need in statement.needs:
            aws.require(need)
        statement.check(aws)
    except Unsettled as unsettled:
        return Outcome(statement, "unsettled", str(unsettled))
    except BotoCoreError as error:
        return Outcome(statement, "unsettled", f"no answer: {error}")
    except ClientError as error:
        if code_of(error) in DENIED:
            return Outcome(statement, "unsettled", f"no permission: {error}")
        return _difference(statement, aws, str(error))
    except Differs as difference:
        return _difference(statement, aws, str(difference))
    return Outcome(statement, "agrees", notes=tuple(aws.notes))


def _difference(statement: Statement, aws: Ground, reason: str) -> Outcome:
    latest = list(reversed(aws.guard.requests))[:SHOWN_REQUESTS]
    return Outcome(statement, "differs", reason, tuple(latest), tuple(aws.notes))

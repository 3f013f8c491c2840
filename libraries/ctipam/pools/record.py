"""What a pool's tags record of its CIDRs: which of them this solution gave it because they are declared.

    10.0.0.0/12 10.32.0.0/13     declared, and listed by AWS
    10.0.0.0/12 +10.32.0.0/13    the second will be requested next
    10.0.0.0/12 -10.32.0.0/13    the second is no longer declared, and will be given back next
    +                            a new pool, or one that is being removed: whatever it holds

The record is written before a CIDR is requested or given back, so that whoever comes after a function that was killed
knows whose the CIDR is. CIDRs that it does not mention were given by hand, or by automatic growth: they are respected.
A value has at most 256 characters, so a long record goes on in further tags.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network

from ctipam import names

EVERYTHING = "+"
"""The record of a pool that is new or is being removed."""

VALUE_LIMIT = 256


@dataclass(frozen=True)
class Record:
    """everything   whatever the pool holds is ours"""

    declared: frozenset[IPv4Network]
    coming: frozenset[IPv4Network]
    leaving: frozenset[IPv4Network]
    everything: bool

    def has(self, cidr: IPv4Network) -> bool:
        """Return whether the pool was given the CIDR because it was declared."""
        return self.everything or cidr in self.declared | self.coming | self.leaving


def read(tags: Mapping[str, str]) -> Record:
    """Return what the tags of a pool record. Whatever somebody has made of them: only a CIDR is one."""
    return _parsed(" ".join(tags[key] for key in record_keys(tags)))


@lru_cache(maxsize=1024)  # the same tags are read again in every round
def _parsed(text: str) -> Record:
    words = text.split()
    return Record(
        declared=_cidrs(words),
        coming=_cidrs(word[1:] for word in words if word.startswith("+")),
        leaving=_cidrs(word[1:] for word in words if word.startswith("-")),
        everything=EVERYTHING in words,
    )


def written(
    declared: Iterable[IPv4Network], coming: Iterable[IPv4Network] = (), leaving: Iterable[IPv4Network] = ()
) -> dict[str, str]:
    """Return the tags of a record."""
    words = [(cidr, "") for cidr in declared] + [(cidr, "+") for cidr in coming] + [(cidr, "-") for cidr in leaving]
    values = [""]
    for cidr, sign in sorted(words):
        longer = f"{values[-1]} {sign}{cidr}".lstrip()
        if len(longer) > VALUE_LIMIT:
            values.append(f"{sign}{cidr}")
        else:
            values[-1] = longer
    return {_key(number): value for number, value in enumerate(values)}


def record_keys(tags: Collection[str]) -> list[str]:
    """Return the keys of the tags that hold the record."""
    return sorted(key for key in tags if key == names.BLOCK_TAG or key.startswith(f"{names.BLOCK_TAG}-"))


def _key(number: int) -> str:
    return f"{names.BLOCK_TAG}-{number + 1}" if number else names.BLOCK_TAG


def _cidrs(words: Iterable[str]) -> frozenset[IPv4Network]:
    return frozenset(cidr for word in words if (cidr := _cidr(word)))


def _cidr(text: str) -> IPv4Network | None:
    try:
        return IPv4Network(text) if "/" in text else None
    except ValueError:
        return None

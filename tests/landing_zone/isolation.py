"""Keep the user's settings away from what runs on this machine: a landing zone needs none of them.

A proxy would get the requests to this machine, a profile may not exist, a configuration file may be broken, and an
inner make would take the words of the outer one.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

PREFIXES = ("AWS_", "BOTO", "MAKE", "MFLAGS")
NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WORDS")
NOTHING = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "*",  # a proxy may also come from the settings of the operating system
    "no_proxy": "*",
}


def isolate(environment: MutableMapping[str, str] = os.environ) -> None:
    """Remove from the environment all that configures AWS clients, connections or make; leave the rest as it is."""
    words = environment.get("WORDS", "").split()  # that make was given, see commands.make_words
    for name in [*environment]:
        proxy = name.lower().endswith("_proxy")
        if proxy or name.startswith(PREFIXES) or name in NAMES or name in words:
            del environment[name]
    environment.update(NOTHING)

"""Log lines from which CloudWatch makes metrics, in its embedded metric format. A line, here on several:

    {"_aws": {"Timestamp": 1700000000000,
              "CloudWatchMetrics": [{"Namespace": "IpamControlTower", "Dimensions": [["Environment", "Region"]],
                                     "Metrics": [{"Name": "PercentUsed", "Unit": "Percent"}]}]},
     "Environment": "Prod OU", "Region": "us-west-2", "PercentUsed": 12.5, "Vpcs": 1}

Source  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

NAMESPACE = "IpamControlTower"


def emf_line(fields: Mapping[str, object], metric: str, unit: str, dimensions: Sequence[str], at_s: float) -> str:
    """Return the line with these fields, one of which is the metric, and some its dimensions.

    unit   as CloudWatch names it: "Percent"
    at_s   when it was measured, in seconds since 1970
    """
    directive = {"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": [{"Name": metric, "Unit": unit}]}
    return json.dumps({"_aws": {"Timestamp": int(at_s * 1000), "CloudWatchMetrics": [directive]}, **fields})


def dimension_value(text: str) -> str:
    """Return a text as CloudWatch takes it in a dimension: in ASCII, and at most 1024 characters.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
    """
    return text.encode("ascii", "backslashreplace").decode()[:1024]

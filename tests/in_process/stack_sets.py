"""StackSets, of which moto knows too little."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from in_process.aws_calls import Call
from in_process.fixtures import HOME, NETWORKING


class StackSets:
    """The StackSet ipam-networking and its operations, in the place of CloudFormation. Any other call fails."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.exists = False
        self.description = "IPAM pools in the Networking account, version 1.0.0"
        self.stack_ids: list[str] = []
        self.own_resources: list[str] = []
        self.results = {False: "SUCCEEDED", True: "SUCCEEDED"}  # RetainStacks -> final status of the operation
        self.takes_s = 60.0
        self.operations: dict[str, tuple[bool, float]] = {}
        self.retained: list[bool] = []
        self.refusals: dict[str, str] = {}  # action -> error code of its next call

    def answer(self, call: Call, client: Any, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name != "cloudformation" or operation == "DescribeStacks":
            return call(client, operation, parameters)
        handlers = {
            "DescribeStackSet": self._describe,
            "ListStackResources": lambda _: {
                "StackResourceSummaries": [{"LogicalResourceId": name} for name in self.own_resources]
            },
            "ListStackInstances": lambda _: {
                "Summaries": [
                    {"Account": NETWORKING, "Region": HOME, "StackId": stack_id} for stack_id in self.stack_ids
                ]
            },
            "DescribeStackSetOperation": self._describe_operation,
            "DeleteStackInstances": self._delete_instances,
            "DeleteStackSet": self._delete,
        }
        self._settle()
        if code := self.refusals.pop(operation, ""):
            raise ClientError({"Error": {"Code": code, "Message": "No."}}, operation)
        return handlers[operation](parameters)

    def _settle(self) -> None:
        """Let the stack instances be gone as soon as their deletion has succeeded."""
        for retain, ends in self.operations.values():
            if self.clock.now() >= ends and self.results[retain] == "SUCCEEDED":
                self.stack_ids = []

    def _describe(self, _: Any) -> Any:
        if not self.exists:
            raise ClientError({"Error": {"Code": "StackSetNotFoundException", "Message": ""}}, "DescribeStackSet")
        return {"StackSet": {"Description": self.description}}

    def _describe_operation(self, parameters: Any) -> Any:
        if parameters["OperationId"] not in self.operations:
            raise ClientError({"Error": {"Code": "OperationNotFoundException", "Message": ""}}, "Describe")
        retain, ends = self.operations[parameters["OperationId"]]
        if self.clock.now() < ends:
            return {"StackSetOperation": {"Status": "RUNNING"}}
        return {"StackSetOperation": {"Status": self.results[retain]}}

    def _delete_instances(self, parameters: Any) -> Any:
        assert (parameters["Accounts"], parameters["Regions"]) == ([NETWORKING], [HOME])
        assert parameters["OperationId"] not in self.operations
        self.operations[parameters["OperationId"]] = (parameters["RetainStacks"], self.clock.now() + self.takes_s)
        self.retained.append(parameters["RetainStacks"])
        return {"OperationId": parameters["OperationId"]}

    def _delete(self, _: Any) -> Any:
        assert not self.stack_ids, "StackSetNotEmptyException"
        self.exists = False
        return {}

"""Proves that the roles are least: takes every permission away in turn and wants a test to fail.

For each action that a statement of a role allows, the role's policy is replaced by one without it
on the running local stack, that function's tests run, and the policy is put back. Exits with 1 when
a removal goes unnoticed, or when the tests fail with the whole policy.

Arguments: function names; without any, all of them.
"""

import copy
import json
import os
import pathlib
import subprocess
import sys
import time

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Each function: how template.yaml calls it, and its tests of the stack.
FUNCTIONS = {
    "auth": ("Auth", "log_in|second_factor"),
    "users": ("Users", "second_factor|users"),
    "user-import": ("UserImport", "users"),
    "tenant": ("Tenant", "credentials|log_in|users"),
    "ingest": ("Ingest", "telemetry|credentials"),
    "rollup": ("Rollup", "telemetry|dashboard|endpoints|dead_letters|siem"),
    "siem": ("Siem", "siem"),
    "siem-forward": ("SiemForward", "siem"),
    "tags": ("Tags", "tags"),
    "tagging": ("Tagging", "tags"),
    "product": ("Product", "tags"),
    "directory": ("Directory", "directory"),
    "directory-sync": ("DirectorySync", "directory"),
    "licenses": ("Licenses", "licenses"),
    "onboarding": ("Onboarding", "sign_up"),
    "license-watch": ("LicenseWatch", "licenses"),
    "backoffice": ("Backoffice", "licenses|onboarding|sign_up"),
}

# What the Lambda service does with a function's role. The local endpoint does not ask the role
# for these, so IAM itself is asked whether it allows them.
SERVICE = {
    "auth": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "users": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "user-import": {
        "Logs": "logs:CreateLogStream logs:PutLogEvents",
        "Imports": "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes",
    },
    "tenant": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "licenses": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "onboarding": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "license-watch": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "backoffice": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "ingest": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "tags": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "product": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "directory": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "directory-sync": {
        "Logs": "logs:CreateLogStream logs:PutLogEvents",
        "Rings": "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes",
    },
    "tagging": {
        "Logs": "logs:CreateLogStream logs:PutLogEvents",
        "Rings": "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes",
    },
    "siem": {"Logs": "logs:CreateLogStream logs:PutLogEvents"},
    "siem-forward": {
        "Logs": "logs:CreateLogStream logs:PutLogEvents",
        "Rings": "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes",
    },
    "rollup": {
        "Logs": "logs:CreateLogStream logs:PutLogEvents",
        "Telemetry": "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes",
    },
}


def tests(function, *more):
    """Runs a function's tests of the running stack."""
    # As in `make test`: other packages chosen would mean other features, and all built again.
    command = ["cargo", "nextest", "run", "--locked", "--workspace"]
    modules = FUNCTIONS[function][1]
    command += ["--filterset", f"package(belfry-tests) & binary(stack) & test(/^({modules})::/)", "--no-tests", "fail"]
    return subprocess.run(
        command + list(more), cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def serves(iam, function, role, policy):
    """Whether IAM allows the Lambda service what it does for the function, on its resources."""
    source = iam.get_role(RoleName=role)["Role"]["Arn"]
    resources = {s["Sid"]: s["Resource"] for s in policy["Statement"]}
    for statement, actions in SERVICE[function].items():
        resource = resources[statement]
        results = iam.simulate_principal_policy(
            PolicySourceArn=source,
            ActionNames=actions.split(),
            ResourceArns=resource if isinstance(resource, list) else [resource],
        )["EvaluationResults"]
        if any(result["EvalDecision"] != "allowed" for result in results):
            return False
    return True


def complains(logs, group, since):
    """Whether the function logged that it was denied something: the loss of a ring costs a minute, until
    the sweep, and fails no test."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
    return any("AccessDenied" in event["message"] for page in pages for event in page["events"])


def removals(policy):
    """Every (statement, action, policy without it)."""
    for number, statement in enumerate(policy["Statement"]):
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        for action in actions:
            if action == "sqs:SendMessageBatch":
                continue  # no action of its own at AWS: it goes with sqs:SendMessage
            less = copy.deepcopy(policy)
            rest = [other for other in actions if other not in (action, action + "Batch")]
            if rest:
                less["Statement"][number]["Action"] = rest
            else:
                del less["Statement"][number]
            yield statement.get("Sid", str(number)), action, less


def main(functions):
    stack = json.loads((ROOT / ".local/stack.json").read_text())
    os.environ.update(
        AWS_ENDPOINT_URL=stack["aws_endpoint"],
        AWS_DEFAULT_REGION=stack["region"],
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    iam, functions_api, logs = (boto3.client(name) for name in ("iam", "lambda", "logs"))
    unnoticed = 0
    for function in functions:
        resource = FUNCTIONS[function][0]
        role, deployed = (stack["outputs"][resource + kind] for kind in ("Role", "Function"))
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]

        def put(document):
            iam.put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document)
            )
            # What only a start needs shows only in a start.
            environment = functions_api.get_function_configuration(FunctionName=deployed)["Environment"]
            functions_api.update_function_configuration(
                FunctionName=deployed, Environment={"Variables": environment["Variables"]}
            )
            functions_api.get_waiter("function_updated_v2").wait(FunctionName=deployed)

        def whole_passes():
            run = tests(function)
            print(run.stderr[-4000:] if run.returncode else "", end="", file=sys.stderr)
            return run.returncode == 0 and serves(iam, function, role, policy)

        if not whole_passes():
            sys.exit(f"{function}: fails with its whole policy")
        try:
            for statement, action, less in removals(policy):
                began = int(time.time() * 1000)
                put(less)
                # The quick question first.
                served = serves(iam, function, role, policy)
                noticed = (
                    not served
                    or tests(function, "--fail-fast").returncode != 0
                    or complains(logs, f"/aws/lambda/{deployed}", began)
                )
                unnoticed += not noticed
                verdict = "noticed" if noticed else "NOT NOTICED"
                print(f"{function:<12} {statement:<14} {action:<28} {verdict}", flush=True)
        finally:
            put(policy)
        if not whole_passes():
            sys.exit(f"{function}: fails after its policy was put back")
    if unnoticed:
        sys.exit(f"{unnoticed} removals went unnoticed")
    print("Every removal was noticed.")


if __name__ == "__main__":
    main(sys.argv[1:] or FUNCTIONS)

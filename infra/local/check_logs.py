"""Reads every line that the functions on the local stack have logged, and fails when one holds what no
log may: a password, a code, a token, a seed, a link, an e-mail address, an IP address.

Run after the tests of the stack, which put all of these through every function.
"""

import json
import os
import pathlib
import re
import sys

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What the tests and the demo use as secrets, and what tokens and personal data look like.
FORBIDDEN = {
    "password": re.compile(r"(correct|wrong|another)-horse-battery|lantern-quartz-orbit|argon2|for-tests-only-and-not"),
    "access token": re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}"),
    "refresh token or credential": re.compile(r"\b(bfr|bfc|bfp)_[\w-]{20,}|whsec_[\w+/=]{20,}"),
    "link": re.compile(r"/(activate|reset-password|reset-two-factor|confirm-sign-up|stop-recovery)#"),
    "activation key": re.compile(r"\bbfa_[\w-]{20,}"),
    "seed": re.compile(r"otpauth://|\b[A-Z2-7]{32}\b"),
    "recovery code": re.compile(r"\b[a-z2-7]{4}(-[a-z2-7]{4}){3}\b"),
    "code or challenge": re.compile(r'"(code|recovery_code|challenge|password|secret)"\s*:\s*"(?=\d{6}"|[\w-]{43}")'),
    "e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
    "IP address": re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
}

# Each pattern must find its like: a check that finds nothing in anything is none.
EXAMPLES = {
    "password": "correct-horse-battery-47-staple",
    "access token": "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwOi8v.c2ln",
    "refresh token or credential": "bfr_AaIETpbYfKaTD8wHd3pXUQGiBE6d",
    "activation key": "bfa_AaIETpbYfKaTD8wHd3pXUQGiBE6d",
    "link": "http://localhost:5173/activate#abc",
    "seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "recovery code": "ljnf-uws2-ljnf-uws2",
    "code or challenge": '{"code":"123456"}',
    "e-mail address": "ada@corp-1.example",
    "IP address": "from 127.0.0.1 port",
}


def main():
    for name, example in EXAMPLES.items():
        if not FORBIDDEN[name].search(example):
            sys.exit(f"the pattern for {name} does not find {example}")
    stack = json.loads((ROOT / ".local/stack.json").read_text())
    os.environ.update(
        AWS_ENDPOINT_URL=stack["aws_endpoint"],
        AWS_DEFAULT_REGION=stack["region"],
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    logs = boto3.client("logs")
    functions = sorted(name for name in stack["outputs"] if name.endswith("Function"))
    found, quiet = [], []
    for function in functions:
        group, lines = f"/aws/lambda/{stack['outputs'][function]}", 0
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in (event for page in pages for event in page["events"]):
            lines += 1
            message = event["message"]
            found += [f"{function}: {name}: {message[:300]}" for name, p in FORBIDDEN.items() if p.search(message)]
        print(f"{function:22}{lines:>8} lines")
        if not lines:
            quiet.append(function)
    if quiet:
        sys.exit(f"nothing was logged by {', '.join(quiet)}: was the stack tested?")
    if found:
        sys.exit("\n".join(found[:20]) + f"\n{len(found)} lines hold what no log may")


main()

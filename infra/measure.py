#!/usr/bin/env python3
"""Measures each function's zip and start-up, and holds them against infra/sizes.toml.

    infra/measure.py [--update] [--no-build] [function ..]

zip:   bytes of the release build of this machine's architecture, packed as `sam deploy` packs it.
start: instructions (callgrind) from exec to the first `/next`, without the AWS calls that open
       the connections. Both sides are played here: Lambda's runtime interface and AWS. A second run
       in which AWS refuses each of these calls once tells what a call costs.

Fails when a figure is above its limit, or more than 2 % above the recorded one. --update records.
"""

import argparse
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUDGET = ROOT / "infra" / "sizes.toml"
TOLERANCE = 1.02
# A public key of P-256 (SubjectPublicKeyInfo), for functions that fetch one at start-up.
PUBLIC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjnfggvGK1hLgVKNa0t28bnP+AEwbqYJPH8+g1bO6rK8MChQndsgJYQlxu7AwiMDzPxYM2M4Y2DZ0m3VH29TEnA=="
)

# A public key of Ed25519 (RFC 8032, section 7.1, TEST 2) in base64url.
VENDOR_KEY = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"


def read_budget():
    """Sections of `key = integer`: all that this file needs of TOML (Python 3.10 has no reader)."""
    sections, section = {}, None
    for line in BUDGET.read_text().splitlines():
        line = line.split("#")[0].strip()
        if match := re.fullmatch(r"\[(.+)\]", line):
            section = sections.setdefault(match[1], {})
        elif match := re.fullmatch(r"(\w+) = ([\d_]+)", line):
            section[match[1]] = int(match[2])
        elif line:
            sys.exit(f"{BUDGET.name}: cannot read: {line}")
    return sections


def write_budget(measured):
    """Replaces the recorded figures; comments and limits stay."""
    lines, section = [], None
    for line in BUDGET.read_text().splitlines():
        if match := re.fullmatch(r"\[(.+)\]", line.strip()):
            section = match[1]
        if match := re.fullmatch(r"(zip|start) = [\d_]+", line.strip()):
            if section in measured:
                line = f"{match[1]} = {measured[section][match[1]]:_}"
        lines.append(line)
    BUDGET.write_text("\n".join(lines) + "\n")


def build(functions):
    packages = [argument for name in functions for argument in ("--package", name)]
    environment = os.environ | {"AWS_LC_SYS_NO_JITTER_ENTROPY": "1"}
    subprocess.run(["cargo", "build", "--locked", "--release", *packages], cwd=ROOT, env=environment, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return pathlib.Path(target) / "release"


def zipped(binary):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "function.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(binary, "bootstrap")
        return path.stat().st_size


class Machine(http.server.ThreadingHTTPServer):
    """Lambda's runtime interface and AWS on one port."""

    def __init__(self, refuse_once):
        super().__init__(("127.0.0.1", 0), Answers)
        self.refuse_once, self.refused = refuse_once, set()
        self.calls = 0
        self.ready = threading.Event()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.endswith("/runtime/invocation/next"):
            # Never answered: the function waits as it would for its first event.
            self.server.ready.set()
            threading.Event().wait()
        self.answer(404, b"{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        operation = self.headers.get("x-amz-target", "").rsplit(".", 1)[-1] or body[:64].decode("latin1")
        machine = self.server
        if machine.refuse_once and operation not in machine.refused:
            machine.refused.add(operation)
            return self.answer(500, b'{"__type":"InternalServerError","message":"asked for"}')
        machine.calls += 1
        if operation == "GetPublicKey":
            spec = {"KeyId": "key", "PublicKey": PUBLIC_KEY, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
            return self.answer(200, json.dumps(spec).encode())
        return self.answer(200, b"{}")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def started(binary, refuse_once=False):
    """Instructions to the first `/next`, and the number of AWS calls before it."""
    machine = Machine(refuse_once)
    threading.Thread(target=machine.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{machine.server_address[1]}"
    environment = {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": binary.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/x",
        "AWS_LAMBDA_LOG_STREAM_NAME": "x",
        "AWS_ENDPOINT_URL": f"http://{address}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "BELFRY_TABLE": "belfry",
        "BELFRY_TELEMETRY_QUEUE_URL": f"http://{address}/1/telemetry.fifo",
        "BELFRY_MAIL_QUEUE_URL": f"http://{address}/1/mail",
        "BELFRY_IMPORT_QUEUE_URL": f"http://{address}/1/import",
        "BELFRY_TAGGING_QUEUE_URL": f"http://{address}/1/tagging",
        "BELFRY_DIRECTORY_QUEUE_URL": f"http://{address}/1/directory",
        "BELFRY_SIEM_QUEUE_URL": f"http://{address}/1/siem.fifo",
        "BELFRY_SUPPORT_EMAIL": "support@example.com",
        "BELFRY_SIGNING_KEY_ID": "key",
        "BELFRY_SEALING_KEY_ID": "key",
        "BELFRY_CONSOLE_URL": "https://console.example",
        "BELFRY_MAIL_SENDER": "belfry@example.com",
        "BELFRY_TRIAL_EDITION": "Standard",
        "BELFRY_VENDOR_KEYS": VENDOR_KEY,
        "BELFRY_PRODUCT_URLS": "EPP=https://epp.example/hand-off",
        "BELFRY_STAGE": "test",
    }
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", str(binary)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = threading.Thread(target=lambda: setattr(machine, "output", process.stdout.read()))
        output.start()
        while not machine.ready.wait(0.1):
            if process.poll() is not None:
                output.join()
                sys.exit(f"{binary.name} ended before its first /next:\n{machine.output.decode()}")
        # It waits in a read now; the signal ends it, and callgrind writes what it counted.
        process.send_signal(signal.SIGTERM)
        process.wait()
        machine.shutdown()
        text = pathlib.Path(folder, "out").read_text()
        return int(re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)[1]), machine.calls


def measure(binary):
    whole, calls = started(binary)
    twice, _ = started(binary, refuse_once=True)
    return {"zip": zipped(binary), "start": whole - (twice - whole), "calls": calls, "whole": whole}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("functions", nargs="*")
    parser.add_argument("--update", action="store_true", help="record the figures")
    parser.add_argument("--no-build", action="store_true", help="take the release build as it is")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is missing. Debian: apt-get install valgrind")
    budget = read_budget()
    functions = arguments.functions or sorted(path.name for path in (ROOT / "functions").iterdir())
    if unknown := [name for name in functions if name not in budget]:
        sys.exit(f"{BUDGET.name} has no budget for {', '.join(unknown)}")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    if not arguments.no_build:
        target = build(functions)
    measured, faults = {}, []
    print(f"{'function':12}{'zip':>12}{'limit':>12}{'start':>14}{'limit':>14}{'AWS calls':>11}{'with them':>14}")
    for name in functions:
        figures, limits = measure(target / name), budget[name]
        measured[name] = figures
        print(
            f"{name:12}{figures['zip']:>12,}{limits['zip_limit']:>12,}"
            f"{figures['start']:>14,}{limits['start_limit']:>14,}{figures['calls']:>11}{figures['whole']:>14,}"
        )
        for what in ("zip", "start"):
            if figures[what] > limits[f"{what}_limit"]:
                faults.append(f"{name}: {what} {figures[what]:,} is above its limit")
            elif not arguments.update and not limits[what]:
                faults.append(f"{name}: no {what} is recorded yet; --update records it")
            elif not arguments.update and figures[what] > limits[what] * TOLERANCE:
                faults.append(f"{name}: {what} {figures[what]:,} is over 2 % above the recorded {limits[what]:,}")
    if arguments.update:
        write_budget(measured)
    if faults:
        sys.exit("\n".join(faults))


main()

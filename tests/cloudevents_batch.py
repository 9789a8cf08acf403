"""Prints a batch of telemetry as the official CloudEvents SDK for Python writes it.

Ids, times and the order of the attributes are the SDK's own; the batch format of CloudEvents is
its events in a JSON array.
"""

import sys

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def main(prefix: str) -> None:
    events = [
        CloudEvent(
            {"type": "endpoint.status", "source": "/sdk/python", "subject": "ignored"},
            {
                "endpoint": {
                    "id": f"{prefix}-{number}",
                    "kind": "computer",
                    "name": f"営業部のPC {number}",
                    "os": "Windows",
                    "os_version": "11",
                    "agent_version": "7.1",
                }
            },
        )
        for number in range(3)
    ]
    events.append(
        CloudEvent(
            {
                "type": "infection.detected",
                "source": "/sdk/python",
                "datacontenttype": "application/json",
            },
            {
                "endpoint": {"id": f"{prefix}-0", "kind": "computer"},
                "threat": "EICAR",
                "action": "blocked",
                "severity": "low",
            },
        )
    )
    written = JSONFormat()
    sys.stdout.buffer.write(b"[" + b",".join(written.write(event) for event in events) + b"]")


main(sys.argv[1])

"""Judges a SCIM server: exits with 1 unless every check of scim2-tester passes.

Arguments: the URL of the server. The token is in SCIM_TOKEN, as others of the machine can see
arguments.
"""

import os
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server


def main(url: str) -> int:
    headers = {"Authorization": f"Bearer {os.environ['SCIM_TOKEN']}"}
    client = SyncSCIMClient(Client(base_url=url, headers=headers, timeout=30))
    results = check_server(client)
    bad = [result for result in results if result.status != Status.SUCCESS]
    for result in bad:
        print(result.status.name, result.title, result.reason)
    print(f"{len(results) - len(bad)} of {len(results)} checks passed")
    # Without a discovered schema there would be little to fail.
    return 0 if not bad and len(results) > 90 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

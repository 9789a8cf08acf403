"""A product that is handed a person over: checks the token with PyJWT against the published keys.

Arguments: address of the keys, the product that checks, seconds by which its clock is ahead. The token
comes on standard input. Prints the claims, or the name of the error.
"""

import datetime
import json
import sys

import jwt
from jwt import api_jwt


def main(keys, product, ahead):
    token = sys.stdin.read().strip()

    class Ahead(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=int(ahead))

    api_jwt.datetime = Ahead
    try:
        if jwt.get_unverified_header(token)["typ"] != "handoff+jwt":
            raise jwt.InvalidTokenError("another type of token")
        key = jwt.PyJWKClient(keys).get_signing_key_from_jwt(token)
        required = ["exp", "iat", "iss", "aud", "sub", "jti"]
        claims = jwt.decode(
            token, key, algorithms=["ES256"], audience=product, options={"require": required}
        )
        print(json.dumps(claims))
    except jwt.InvalidTokenError as error:
        print(json.dumps({"error": type(error).__name__}))


main(*sys.argv[1:])

#!/usr/bin/env python3
"""Checks events of OCSF 1.5 against the schema that PyPI's ocsf-json-schema carries; needs no network.

    .local/tools/bin/python tests/ocsf_validate.py < shared/domain/tests/siem/golden.ndjson

Reads NDJSON: events, or lines of that file, of which the others are passed over. Says what is wrong with
an event, also an attribute that its class does not have, an id that is in no list, and a name that
does not belong to its id; ends with 1 if anything is, or if there was no event at all.
"""

import functools
import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.5.0"
SOURCE = get_ocsf_schema(VERSION)
SCHEMA = OcsfJsonSchemaEmbedded(SOURCE)


def event_of(line):
    """The event of a line, or None of a line in another format."""
    value = json.loads(line)
    if "class_uid" in value:
        return value
    if value.get("format") != "ocsf":
        return None
    if "syslog" in value:
        return json.loads(value["syslog"].split('"] ', 1)[1])
    return json.loads(value["hec"])["event"]


@functools.cache
def class_of(uid):
    name = SCHEMA.lookup_class_name_from_uid(uid)
    return name, SOURCE["classes"][name]


@functools.cache
def validator(name, profiles):
    return Draft202012Validator(SCHEMA.get_class_schema(name, list(profiles)))


def captions(value, of, where=""):
    """Sibling attributes, like status and status_id, that say different things."""
    for key, attribute in of["attributes"].items():
        if key not in value:
            continue
        inner = SOURCE["objects"].get(attribute.get("object_type"))
        if inner:
            for one in value[key] if isinstance(value[key], list) else [value[key]]:
                yield from captions(one, inner, f"{where}{key}.")
        sibling, enum = attribute.get("sibling"), attribute.get("enum")
        if enum and sibling in value and value[key] not in (0, 99):
            caption = enum[str(value[key])]["caption"]
            if value[sibling] != caption:
                yield f"{where}{sibling} is {value[sibling]!r}, {key} is {caption!r}"
        if enum and value[key] == 99 and key == "activity_id" and sibling not in value:
            yield f"{where}{sibling} has to say what {key} 99 is"


def faults(event):
    name, of = class_of(event["class_uid"])
    profiles = tuple(event["metadata"].get("profiles", []))
    for error in validator(name, profiles).iter_errors(event):
        yield f"{error.json_path}: {error.message[:300]}"
    yield from captions(event, of)


def main():
    count = bad = 0
    for number, line in enumerate(sys.stdin, 1):
        event = event_of(line)
        if event is None:
            continue
        count += 1
        found = list(faults(event))
        bad += bool(found)
        for fault in found:
            print(f"line {number}, class {event['class_uid']}: {fault}")
    print(f"{count} events of OCSF {VERSION}, {bad} with faults")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())

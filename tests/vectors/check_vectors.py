#!/usr/bin/python3
"""An independent reader and writer of the wire: Python's msgpack, and protocol/README.md.

check_vectors.py          reads wire.json, takes each message apart and compares; then puts each together
                          from its description, in its own way, and compares with python.hex; and runs the
                          README's ten lines
check_vectors.py --write  writes python.hex, which the C side reads in unit/protocol/vectors_test
"""
import json
import pathlib
import re
import struct
import subprocess
import sys

import msgpack

HERE = pathlib.Path(__file__).parent
README = HERE.parent.parent / "protocol" / "README.md"
HEADER = ("version", "source", "session", "seq", "ack_session", "ack")


def kinds_of_readme():
    """{code: (name, [(type, field), ...])}, from the table that people read."""
    row = re.compile(r"^\| (\d+) \| `(\w+)` \| \w+ \| (.*?) \| .* \|$", re.M)
    field = re.compile(r"(\w+) (UINT|TEXT|DATA|LIST|NAME)")
    return {
        int(code): (name, [(kind, name) for name, kind in field.findall(fields.replace("`", ""))])
        for code, name, fields in row.findall(README.read_text())
    }


def plain(kind, value):
    """What the description says of a field, from what msgpack read."""
    if kind == "DATA":
        return {"bin": value.hex()}
    if kind == "LIST":
        return {"msgpack": msgpack.packb(value).hex()}
    return value


def native(kind, value):
    """The other way."""
    if kind == "DATA":
        return bytes.fromhex(value["bin"])
    if kind == "LIST":
        return msgpack.unpackb(bytes.fromhex(value["msgpack"]))
    return value


def decode(message, kinds):
    unpacker = msgpack.Unpacker()
    unpacker.feed(message[8:])
    values = list(unpacker)
    envelopes = []
    for code, *fields in values[1:]:
        name, known = kinds[code]
        assert len(fields) == len(known), f"{name} has {len(fields)} fields, the table {len(known)}"
        envelope = {"kind": name}
        for (kind, field), value in zip(known, fields):
            envelope[field] = plain(kind, value)
        envelopes.append(envelope)
    return {
        "topic": struct.unpack(">Q", message[:8])[0],
        "header": dict(zip(HEADER, values[0])),
        "envelopes": envelopes,
    }


def encode(vector, kinds):
    parts = [struct.pack(">Q", vector["topic"]), msgpack.packb([vector["header"][name] for name in HEADER])]
    by_name = {name: (code, fields) for code, (name, fields) in kinds.items()}
    for envelope in vector["envelopes"]:
        code, fields = by_name[envelope["kind"]]
        parts.append(msgpack.packb([code] + [native(kind, envelope[field]) for kind, field in fields]))
    return b"".join(parts)


def run_example():
    """The README's reader of captures, on wire.hex: one line a message."""
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.S)[1]
    run = subprocess.run([sys.executable, "-c", example, HERE / "wire.hex"], check=True, capture_output=True, text=True)
    return run.stdout.splitlines()


def main():
    kinds = kinds_of_readme()
    vectors = json.loads((HERE / "wire.json").read_text())
    faults = []
    for vector in vectors:
        got = decode(bytes.fromhex(vector["hex"]), kinds)
        faults += [f"{vector['name']}: {key}: read {got[key]}, described {vector[key]}" for key in got if got[key] != vector[key]]
    seen = {envelope["kind"] for vector in vectors for envelope in vector["envelopes"]}
    faults += [f"no vector has a {name}" for name, _ in kinds.values() if name not in seen]
    if len(run_example()) != len(vectors):
        faults.append("the README's example does not read wire.hex")
    lines = "".join(f"{vector['name']} {encode(vector, kinds).hex()}\n" for vector in vectors)
    if sys.argv[1:] == ["--write"]:
        (HERE / "python.hex").write_text(lines)
    elif (HERE / "python.hex").read_text() != lines:
        faults.append("python.hex is stale: check_vectors.py --write writes it")
    print("\n".join(faults) if faults else f"{len(vectors)} messages, {len(kinds)} kinds: all agree")
    return 1 if faults else 0


sys.exit(main())

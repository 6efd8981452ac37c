#!/usr/bin/env python3
"""Checks an exported call log against its signed checkpoints, with Python's own library alone.

    verify_call_log.py KEY CHECKPOINTS EXPORT...

KEY is the public key, as a PEM file or as a verifier key (name+hash+base64). CHECKPOINTS is the file of checkpoints,
EXPORT the files of `waas-comuni calls export --format jsonl`, all of them. Exit code 0: what was signed is what is
exported. docs/call-log-format.md says why this is enough.
"""

import base64
import hashlib
import json
import sys
from urllib.parse import quote

# Ed25519, as RFC 8032 (section 6) defines it.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(s, p):
    q = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            q = add(q, p)
        p, s = add(p, p), s >> 1
    return q


def point(encoded):
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P != 0 or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(public, text, signature):
    a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % L
    one, other = multiply(s, BASE), add(r, multiply(h, a))
    return all((one[i] * other[2] - other[i] * one[2]) % P == 0 for i in (0, 1))


# Signed notes and checkpoints.
def read_key(argument):
    if argument.count("+") >= 2:
        key = base64.b64decode(argument.split("+", 2)[2])
        prefix = b"\x01"
    else:
        lines = open(argument, encoding="ascii").read().split("-----")[2]
        key = base64.b64decode("".join(lines.split()))
        prefix = bytes.fromhex("302a300506032b6570032100")
    if not key.startswith(prefix) or len(key) != len(prefix) + 32:
        sys.exit("the key is not an Ed25519 public key")
    return key[len(prefix):]


def read_checkpoints(path, public):
    """The sizes and roots that were signed, by log."""
    checkpoints = {}
    parts = open(path, encoding="utf-8", newline="\n").read().split("\n\n")
    if parts.pop() != "" or len(parts) % 2 != 0:
        sys.exit(f"{path}: the file does not consist of checkpoints")
    for text, signatures in zip(parts[::2], parts[1::2]):
        text += "\n"
        origin, size, root = text.split("\n")[:3]
        key_id = hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
        for line in signatures.split("\n"):
            dash, name, encoded = line.split(" ")
            raw = base64.b64decode(encoded)
            if (dash, name, raw[:4]) == ("—", origin, key_id) and signed(public, text.encode(), raw[4:]):
                break
        else:
            sys.exit(f"{path}: the checkpoint of {origin} at {size} is not signed with the key")
        log = checkpoints.setdefault(origin.rsplit("/", 1)[-1], [])
        log.append((int(size), base64.b64decode(root)))
    return {log: sorted(found) for log, found in checkpoints.items()}


# The tree, as RFC 9162 (section 2.1.1) defines it.
class Tree:
    def __init__(self, marks):
        self.size, self.roots, self.marks, self.good = 0, [], marks, 0

    def push(self, level, root):
        if self.size % 2**level != 0:
            sys.exit(f"the hash at {self.size} does not fit")
        size = self.size >> level
        while size & 1:
            root = hashlib.sha256(b"\x01" + self.roots.pop() + root).digest()
            size >>= 1
        self.roots.append(root)
        self.size += 2**level
        while self.marks and self.marks[0][0] <= self.size:
            size, expected = self.marks.pop(0)
            if size == self.size:
                if self.root() != expected:
                    sys.exit(f"entries {self.good} to {size - 1} are not those that were signed")
                self.good = size

    def root(self):
        root = self.roots[-1]
        for left in self.roots[-2::-1]:
            root = hashlib.sha256(b"\x01" + left + root).digest()
        return root


def main(key, checkpoints, *exports):
    marks = read_checkpoints(checkpoints, read_key(key))
    logs, waiting = {}, {}
    for path in exports:
        for line in open(path, "rb"):
            line = line.removesuffix(b"\n")
            entry = json.loads(line)
            name, index = quote(entry["eservice"] or "", safe="*").replace("~", "%7E"), entry["index"]
            if "removed" in entry:
                leaf = entry["level"], bytes.fromhex(entry["removed"])
            else:
                leaf = 0, hashlib.sha256(b"\x00" + line).digest()
            tree = logs.setdefault(name, Tree(list(marks.get(name, []))))
            # Entries are exported in the order in which the calls came, and have that of the log.
            later = waiting.setdefault(name, {})
            if index < tree.size or index in later:
                sys.exit(f"{name}: entry {index} is there twice")
            later[index] = leaf
            while tree.size in later:
                tree.push(*later.pop(tree.size))
    if not logs:
        sys.exit("there is no entry")
    for name, tree in sorted(logs.items()):
        if waiting[name]:
            sys.exit(f"{name}: entry {tree.size} is missing")
        if tree.marks:
            sys.exit(f"{name}: {tree.marks[0][0]} entries were signed, and there are {tree.size}")
        print(f"{name or 'calls outside any e-service'}: {tree.size} entries, {tree.good} signed")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

"""Check two records that follow each other, with the standard library and cryptography alone: KEY_FILE FIRST SECOND."""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

key_file, *files = map(Path, sys.argv[1:])
name, key_hash, key = key_file.read_text().strip().split("+", 2)
public = base64.b64decode(key)[1:]
if hashlib.sha256(f"{name}\n\x01".encode() + public).hexdigest()[:8] != key_hash:
    sys.exit("the key does not fit its own hash")
before = None
for data in (file.read_bytes() for file in files):
    text, _, line = data.rpartition(b"\n\n")
    dash, signer, signature = line.decode().split()
    record = json.loads(text)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature)[4:], text + b"\n")
    except InvalidSignature:
        sys.exit(f"record {record['seq']}: the signature does not fit")
    if signer != name or f"{record['site']}/{record['gateway']}" != name or before not in (None, record["prev"]):
        sys.exit(f"record {record['seq']}: signed by another, or it does not follow the one before")
    before = hashlib.sha256(data).hexdigest()
    print(record["seq"], before)

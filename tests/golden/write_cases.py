"""Write the golden cases of record-1 and ack-1 that are not there yet; never touches one that is.

    python tests/golden/write_cases.py

The keys are fixed and the signatures deterministic, so anybody who runs this in an empty folder gets the same bytes.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from metering import note, record  # noqa: E402 - after the path, so that it runs from anywhere

SITE, GATEWAY = "test-site", "gw-1"
STREAM, NEXT_STREAM = "01JFV12A70AAAAAAAAAAAAAAAA", "01JFV7ZW20BBBBBBBBBBBBBBBB"
START_MS = 1_735_000_200_000  # 2024-12-24T00:30:00Z
MINUTE_MS = 60_000
MAP_TEXT = """# A meter that nobody sells: the map that the golden records use.
schema = "sakugen.devicemap/1"
make = "Example Meters"
model = "EX-1"
tier = "unverified"
caveats = ["Made up for tests; −40 °C is not in its range."]

[[source]]
title = "EX-1 register list"
read = "nothing: it does not exist"

[[register]]
name = "exported energy"
measurand = "energy_export_total_wh"
function = 3
address = 0
type = "u64"
scale = "1"

[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 10
type = "s32"
scale = "0.1"
sentinels = ["0x80000000"]
"""


def signer(name, seed):
    return note.Signer(name, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest()))


GATEWAY_KEY = signer(f"{SITE}/{GATEWAY}", b"golden gateway")
ANOTHER_KEY = signer(f"{SITE}/{GATEWAY}", b"golden stranger")
ACK_KEY = signer("ack-1", b"golden ack")


def signed(body):
    """Sign a body that may be wrong: nothing of ours looks at it first."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return note.sign(text.encode() + b"\n", GATEWAY_KEY)


def common(seq, prev, stream=STREAM):
    return {
        "type": "sakugen.record/1",
        "site": SITE,
        "gateway": GATEWAY,
        "stream": stream,
        "seq": seq,
        "prev": prev,
        "clock": {"state": "synchronised", "offset_ms": -2},
        "mono_ms": 86_400_000 + seq * MINUTE_MS,
    }


def words(energy_wh, power_tenths_w):
    return base64.b64encode(energy_wh.to_bytes(8) + power_tenths_w.to_bytes(4, signed=True)).decode()


def birth(seq, prev, after=None, stream=STREAM):
    digest = hashlib.sha256(MAP_TEXT.encode()).hexdigest()
    return common(seq, prev, stream) | {
        "kind": "birth",
        "project": "test-project",
        "mode": "live",
        "agent": "sakugen 0.1.0",
        "time_factor": 1.0,
        "config_digest": hashlib.sha256(b"the gateway's configuration").hexdigest(),
        "after": after,
        "device_maps": {digest: MAP_TEXT},
        "groups": [
            {
                "group": "meter-1/minute",
                "device": "meter-1",
                "interval_ms": MINUTE_MS,
                "map": digest,
                "unit_id": 1,
                "meter": {"make": "Example Meters", "model": "EX-1", "serial": "0001"},
                "blocks": [{"function": 3, "address": 0, "count": 4}, {"function": 3, "address": 10, "count": 2}],
                "points": [
                    {
                        "point": "ac-bus",
                        "measurand": "energy_export_total_wh",
                        "quantum": "mWh",
                        "register": "exported energy",
                    },
                    {"point": "ac-bus", "measurand": "active_power_w", "quantum": "mW", "register": "power"},
                ],
            }
        ],
    }


def readings(seq, prev, first_slot_ms=START_MS):
    """Four slots: all well; one block silent; nobody answered; answered too late."""
    return common(seq, prev) | {
        "kind": "readings",
        "groups": [
            {
                "group": "meter-1/minute",
                "slots": [first_slot_ms + n * MINUTE_MS for n in range(4)],
                "sent": [3, 2, 4, 2],
                "received": [41, 1002, 1004, 14_300],
                "values": [
                    [12_345_740_000, 12_345_790_000, None, 12_345_890_000],
                    [3_000_100, None, None, -12_300],
                ],
                "raw": [
                    words(12_345_740, 30_001),
                    words(12_345_790, 0),
                    "",
                    words(12_345_890, -123),
                ],
                "quality": [[1, 1, 1], [0, 2, 1], [1, 2, 1], [0, 3, 6], [1, 3, 6]],
            }
        ],
    }


def gap(seq, prev, group):
    span = {"from_ms": START_MS + 4 * MINUTE_MS, "to_ms": START_MS + 9 * MINUTE_MS}
    return common(seq, prev) | {"kind": "gap", **span, "group": group, "reason": "agent-down"}


def given_up(kind, seq, prev, through):
    """Stands for records that were once written; only the digest of the last one and what was kept are left of them."""
    return common(seq, prev) | {
        "kind": kind,
        "through": through,
        "replaces": hashlib.sha256(b"record %d" % through).hexdigest(),
        "from_ms": START_MS + 9 * MINUTE_MS,
        "to_ms": START_MS + 60 * MINUTE_MS,
        "reason": "outbox full",
        "groups": [] if kind == "dropped" else [kept()],
    }


def kept():
    """What is left of an hour: one slot, of which the counter's value stays and the power's does not."""
    return {
        "group": "meter-1/minute",
        "slots": [START_MS + 30 * MINUTE_MS],
        "sent": [3],
        "received": [40],
        "values": [[12_347_240_000], [None]],
        "raw": [words(12_347_240, 30_001)],
        "quality": [[1, 0, 12]],
    }


def horizon(oldest_seq, digest_before):
    body = {"kind": "horizon", "oldest_seq": oldest_seq, "digest_before": digest_before}
    return common(0, None) | body


def good_records():
    """One stream from its birth, and what may stand beside it; each names the digest of the one before."""
    built = {}

    def add(case, body):
        built[case] = signed(body)
        return record.digest_of(built[case])

    last = add("birth", birth(1, None))
    last = add("readings", readings(2, last))
    last = add("gap", gap(3, last, "meter-1/minute"))
    dropped = given_up("dropped", 4, last, 9)
    add("dropped", dropped)
    last = add("readings-after-dropped", readings(10, dropped["replaces"], START_MS + 60 * MINUTE_MS))
    thinned = given_up("thinned", 11, last, 14)
    add("thinned", thinned)
    reloaded = add("birth-after-reload", birth(15, thinned["replaces"]))
    last = add("gap-in-all-groups", gap(16, reloaded, None))
    add("birth-of-the-next-stream", birth(1, None, {"stream": STREAM, "seq": 16, "digest": last}, NEXT_STREAM))
    add("horizon", horizon(16, reloaded))
    add("horizon-with-all-held", horizon(1, None))
    # Another language's JSON: other order, spaces, escapes. What counts is what it says.
    shuffled = dict(reversed(gap(3, "0" * 64, None).items()))
    built["written-in-another-style"] = signed(json.dumps(shuffled).replace("gap", "\\u0067ap"))
    return built


def group_of(body):
    return body["groups"][0]


def broken_bodies():
    """(case, reason, a part of the sentence, body): signed, and wrong in one place."""
    prev = "0" * 64

    def changed(body, **changes):
        return body | changes

    def in_group(**changes):
        body = readings(2, prev)
        group_of(body).update(changes)
        return body

    def in_birth(**changes):
        body = birth(1, None)
        group_of(body).update(changes)
        return body

    point = group_of(birth(1, None))["points"][0]
    good = group_of(readings(2, prev))
    yield "newer-schema", "newer-schema", "sakugen.record/2", changed(gap(3, prev, None), type="sakugen.record/2", x=1)
    yield "unknown-unit", "unknown-unit", "in kWh", in_birth(points=[point | {"quantum": "kWh"}])
    yield "unknown-measurand", "unknown-unit", "aura_lm", in_birth(points=[point | {"measurand": "aura_lm"}])
    yield "unknown-kind", "shape", "kind", changed(gap(3, prev, None), kind="gossip")
    yield "extra-key", "shape", "colour", changed(gap(3, prev, None), colour="red")
    yield "missing-key", "shape", "mono_ms", {k: v for k, v in gap(3, prev, None).items() if k != "mono_ms"}
    yield "key-given-twice", "shape", "twice", json.dumps(gap(3, prev, None))[:-1] + ', "reason": "no-answer"}'
    yield "not-json", "shape", "JSON", "{"
    yield "seq-zero", "shape", "seq", gap(0, None, None)
    yield "first-with-prev", "shape", "prev must be null", birth(1, prev)
    yield "later-without-prev", "shape", "prev must be the digest", gap(3, None, None)
    yield "site-named-ingest", "shape", "ingest", changed(gap(3, prev, None), site="ingest")
    yield "site-with-a-slash", "shape", "site", changed(gap(3, prev, None), site="a/b")
    yield "stream-not-a-ulid", "shape", "stream", changed(gap(3, prev, None), stream="1")
    yield "rows-of-different-length", "shape", "one column a slot", in_group(values=[[1, 2, 3, 4], [1, 2, 3]])
    yield "raw-for-one-slot-missing", "shape", "one entry a slot", in_group(raw=good["raw"][:3])
    yield "slots-that-go-back", "shape", "increase", in_group(slots=list(reversed(good["slots"])))
    yield "slot-beyond-the-calendar", "shape", "slots", in_group(slots=[*good["slots"][:3], 2**62])
    yield "null-without-quality", "shape", "a null needs", in_group(quality=good["quality"][1:])
    yield "value-with-a-reason-against-it", "shape", "must not have", in_group(quality=[*good["quality"], [0, 0, 3]])
    yield "quality-given-twice", "shape", "twice", in_group(quality=[*good["quality"], [1, 1, 2]])
    yield "quality-of-no-point", "shape", "not there", in_group(quality=[*good["quality"], [2, 0, 6]])
    yield "quality-unknown", "shape", "quality", in_group(quality=[[1, 1, 99], *good["quality"][1:]])
    yield "value-beyond-int64", "shape", "values", in_group(values=[[2**63, *good["values"][0][1:]], good["values"][1]])
    yield "value-with-a-decimal-point", "shape", "values", in_group(values=[[1.5, 1, None, 1], good["values"][1]])
    yield "device-map-altered", "shape", "another digest", changed(birth(1, None), device_maps={prev: MAP_TEXT})
    yield "device-map-missing", "shape", "text is missing", changed(birth(1, None), device_maps={})
    yield "point-named-twice", "shape", "once only", in_birth(points=[point, point])
    yield "group-named-twice", "shape", "once only", changed(birth(1, None), groups=birth(1, None)["groups"] * 2)
    yield "time-factor-infinite", "shape", "time_factor", changed(birth(1, None), time_factor=float("inf"))
    yield "gap-that-ends-first", "shape", "end after", changed(gap(3, prev, None), to_ms=START_MS)
    yield "gap-without-a-known-reason", "shape", "unknown quality", changed(gap(3, prev, None), reason="holiday")
    yield "dropped-and-yet-kept", "shape", "keeps no readings", given_up("dropped", 4, prev, 9) | {"groups": [kept()]}
    yield "dropped-backwards", "shape", "through", given_up("dropped", 4, prev, 3)
    yield "horizon-in-the-chain", "shape", "seq", changed(horizon(16, prev), seq=3, prev=prev)
    yield "horizon-of-nothing-before", "shape", "digest_before", horizon(1, prev)


def broken_bytes():
    """(case, reason, a part of the sentence, bytes): what went wrong on the way, or under another key."""
    good = signed(gap(3, "0" * 64, None))
    text, line = good.rsplit(b"\n\n", 1)
    head, blob = line.rstrip(b"\n").rsplit(b" ", 1)
    raw = base64.b64decode(blob)
    padded = base64.b64encode(raw).decode()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    # 68 bytes leave two bits of the last letter unused: a sloppy reader takes four spellings for one signature.
    respelt = padded[:-2] + letters[letters.index(padded[-2]) ^ 1] + "="
    yield "unsigned", "unsigned", "blank line", text + b"\n"
    yield "altered-byte", "signature", "does not fit", good.replace(b"agent-down", b"agent-dawn")
    yield "signed-by-another-key", "signature", "not signed by the key", note.sign(text + b"\n", ANOTHER_KEY)
    yield "signed-under-another-name", "signature", "not signed by the key", good.replace(b"gw-1 ", b"gw-2 ")
    yield "signed-twice", "unsigned", "one signature line", good + line
    yield "signature-spelt-otherwise", "unsigned", "not base64", text + b"\n\n" + head + b" " + respelt.encode() + b"\n"
    yield "signature-not-ascii", "unsigned", "not base64", text + b"\n\n" + head + " ü\n".encode()
    yield "signature-cut-short", "unsigned", "blank line", good[:-20]
    yield "two-lines", "unsigned", "one line", note.sign(text + b"\n" + text + b"\n", GATEWAY_KEY)
    yield "tab-in-the-text", "unsigned", "control", note.sign(text.replace(b'":', b'":\t', 1) + b"\n", GATEWAY_KEY)
    yield "not-utf-8", "unsigned", "UTF-8", note.sign(text.replace(b"agent", b"\xff") + b"\n", GATEWAY_KEY)
    yield "empty", "unsigned", "blank line", b""


ACK = {
    "type": "sakugen.ack/1",
    "site": SITE,
    "gateway": GATEWAY,
    "journal": "01JFTQCVW00000000000000001",
    "succeeds": None,
    "run": "01JFV12A6Z0000000000000002",
    "n": 7,
    "issued_ms": START_MS + 5 * MINUTE_MS,
    "streams": {},
    "held": [],
    "refused": 0,
}


def acks():
    """(case, reason or None, a part of the sentence, bytes)."""

    def signed_by(key, **changes):
        return note.sign(json.dumps(ACK | changes, separators=(",", ":")).encode() + b"\n", key)

    digest = hashlib.sha256(b"record 16").hexdigest()
    through = {STREAM: {"through": 16, "digest": digest}, NEXT_STREAM: {"through": 0, "digest": None}}
    held = [{"stream": STREAM, "seq": 3, "reason": "newer-schema"}]
    yield "two-open-streams", None, "", signed_by(ACK_KEY, streams=through)
    yield "nothing-open", None, "", signed_by(ACK_KEY)
    yield "of-an-adopted-journal", None, "", signed_by(ACK_KEY, succeeds="01JFP000000000000000000009", streams=through)
    yield "with-a-held-record", None, "", signed_by(ACK_KEY, streams=through, held=held, refused=3)
    good = signed_by(ACK_KEY, streams=through)
    yield "unsigned", "unsigned", "blank line", good.rsplit(b"\n\n", 1)[0] + b"\n"
    yield "altered-byte", "unsigned", "does not fit", good.replace(b'"n":7', b'"n":8')
    yield "signed-by-the-gateway", "unsigned", "not signed by the key", signed_by(GATEWAY_KEY, streams=through)
    yield "another-type", "shape", "type", signed_by(ACK_KEY, type="sakugen.ack/2")
    yield "extra-key", "shape", "colour", signed_by(ACK_KEY, colour="red")
    yield "n-zero", "shape", "n:", signed_by(ACK_KEY, n=0)
    yield (
        "through-without-digest",
        "shape",
        "digest",
        signed_by(ACK_KEY, streams={STREAM: {"through": 1, "digest": None}}),
    )
    yield "digest-of-nothing", "shape", "digest", signed_by(ACK_KEY, streams={STREAM: {"through": 0, "digest": digest}})
    yield "too-many-held", "shape", "held", signed_by(ACK_KEY, held=held * 33)


def write(folder, files):
    if folder.exists():
        return
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    print(f"wrote {folder.relative_to(HERE)}")


def as_json(value):
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def expectation(reason, part, data):
    if reason is not None:
        return {"expected_error.txt": f"{reason}\n{part}\n".encode()}
    body = json.loads(data.split(b"\n", 1)[0])
    return {"expected.json": as_json({"digest": hashlib.sha256(data).hexdigest(), "body": body})}


def main():
    key = f"{GATEWAY_KEY.verifier}\n".encode()
    cases = [(case, None, "", data) for case, data in good_records().items()]
    cases += [(case, reason, part, signed(body)) for case, reason, part, body in broken_bodies()]
    for case, reason, part, data in (*cases, *broken_bytes()):
        write(HERE / "record-1" / case, {"record.note": data, "public_key.txt": key, **expectation(reason, part, data)})
    ack_key = f"{ACK_KEY.verifier}\n".encode()
    for case, reason, part, data in acks():
        write(HERE / "ack-1" / case, {"ack.note": data, "public_key.txt": ack_key, **expectation(reason, part, data)})


if __name__ == "__main__":
    main()

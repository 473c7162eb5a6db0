"""A key ring in, a JSON Web Key Set out: every key ever used, with its role and when it counted."""

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.jwk import OKPKey

from metering.clock import utc_text
from metering.keys import KeyEntry, KeyRing
from registry.canonical import JsonObject
from registry.signing import ALGORITHM, key_id


def jwks(ring: KeyRing) -> JsonObject:
    """Write the keys as a JSON Web Key Set (RFC 7517), in the order of the ring.

    Members beyond the RFC: `role`, and where they are known `valid_from`, `valid_until`, `revoked_at`,
    `compromised_since` (RFC 3339, UTC). A key is never taken out: old signatures stay checkable.
    """
    return {"keys": [_jwk(entry) for entry in ring.entries]}


def _jwk(entry: KeyEntry) -> JsonObject:
    public = OKPKey.import_key(Ed25519PublicKey.from_public_bytes(entry.verifier.public)).as_dict(private=False)
    key: JsonObject = {name: str(public[name]) for name in ("kty", "crv", "x")}
    key |= {"kid": key_id(entry.verifier), "alg": ALGORITHM, "use": "sig", "role": entry.role.value}
    for name in ("valid_from", "valid_until", "revoked_at", "compromised_since"):
        moment: datetime | None = getattr(entry, name)
        if moment is not None:
            key[name] = utc_text(int(moment.timestamp() * 1000))
    return key

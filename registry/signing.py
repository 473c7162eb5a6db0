"""Statement bytes and an operator's key in, a detached JWS out; and its check against keys that the caller trusts.

The payload is left out of the token (RFC 7515 appendix F), because a statement is stored and served as exact bytes. The
header names the key (`kid`), what was signed (`typ`) and when the signer says it was (`signed_ms`): until there is a
transparency log, that claim is the only time by which the validity of an operator's key can be judged.

References:
    RFC 7515 (JWS), RFC 8037 (Ed25519 in JOSE), RFC 9864 (the algorithm is called "Ed25519").
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from metering.keys import KeyRing, Role
from metering.note import Signer, Verifier
from registry.errors import SignatureError

ALGORITHM = "Ed25519"
STATEMENT_TYPE = "sakugen.statement+jws"
_SIGNED_MS = "signed_ms"
_MAX_STATEMENT_BYTES = 64 * 1024**2


class _Rules(jws.JWSRegistry):
    max_payload_length = _MAX_STATEMENT_BYTES  # the library stops at 128 kB; a statement with many findings is longer

    def __init__(self) -> None:
        super().__init__(
            header_registry={_SIGNED_MS: HeaderParameter("when the signer says it signed [ms]", "int", required=True)},
            algorithms=[ALGORITHM],
        )


@dataclass(frozen=True, slots=True)
class StatementSignature:
    """What a detached signature says about itself; nothing is verified yet."""

    name: str
    """The name that signed."""
    key_hash: str
    """Which of the name's keys, four bytes [hex]."""
    signed_ms: int
    """When the signer says it signed [ms since the Unix epoch]."""


def key_id(verifier: Verifier) -> str:
    """The `kid` of a key: its name and the four bytes that tell keys of one name apart."""
    return f"{verifier.name}+{verifier.key_hash.hex()}"


def sign_detached(payload: bytes, signer: Signer, signed_ms: int) -> str:
    """Sign a statement.

    Args:
        payload: the canonical bytes of the statement.
        signer: the operator's key.
        signed_ms: when [ms since the Unix epoch].

    Returns:
        A compact JWS with its payload left out, `header..signature`.
    """
    header = {"alg": ALGORITHM, "typ": STATEMENT_TYPE, "kid": key_id(signer.verifier), _SIGNED_MS: signed_ms}
    token = jws.serialize_compact(header, payload, OKPKey.import_key(signer.private), registry=_Rules())
    return str(jws.detach_content(token))


def read_signature(token: str) -> StatementSignature:
    """Read who claims to have signed, and when.

    Raises:
        SignatureError: when the token is not a detached JWS of a statement.
    """
    rules = _Rules()
    try:
        header = jws.extract_compact(token.encode()).headers()
        rules.check_header(header)
    except (JoseError, ValueError) as fault:
        raise SignatureError(f"not a detached JWS: {fault}") from fault
    name, plus, key_hash = str(header.get("kid", "")).rpartition("+")
    if header["alg"] != ALGORITHM or header.get("typ") != STATEMENT_TYPE or not plus:
        raise SignatureError(f"a statement's signature has alg {ALGORITHM}, typ {STATEMENT_TYPE} and kid name+hash")
    return StatementSignature(name, key_hash, int(header[_SIGNED_MS]))


def verify_detached(token: str, payload: bytes, trust: KeyRing) -> StatementSignature:
    """Check that a trusted operator signed a statement.

    Args:
        token: the detached JWS.
        payload: the exact bytes of the statement.
        trust: the keys that the caller trusts; keys that came with the statement prove nothing.

    Returns:
        Who signed, and when they say they did.

    Raises:
        SignatureError: when the key is not trusted for operators or did not count then, or the signature does not fit.
    """
    signature = read_signature(token)
    verifier = trusted_key(trust, Role.OPERATOR, signature.name, signature.key_hash, signature.signed_ms)
    key = OKPKey.import_key(Ed25519PublicKey.from_public_bytes(verifier.public))
    try:
        jws.deserialize_compact(token, key, registry=_Rules(), payload=payload)
    except (JoseError, ValueError) as fault:
        raise SignatureError(f"the signature of {signature.name!r} does not fit the statement: {fault}") from fault
    return signature


def trusted_key(trust: KeyRing, role: Role, name: str, key_hash: str, at_ms: int) -> Verifier:
    """Find exactly the key that signed among those that the caller trusts.

    Args:
        trust: the keys that the caller trusts.
        role: what it signed as.
        name: the name it signed under.
        key_hash: which of the name's keys, four bytes [hex].
        at_ms: when it signed [ms since the Unix epoch].

    Raises:
        SignatureError: when the caller does not trust it, or it did not count then; says why.
    """
    for entry in trust.of_role(role):
        if entry.id == name and entry.verifier.key_hash.hex() == key_hash:
            refusal = entry.refusal(at_ms)
            if refusal is not None:
                raise SignatureError(f"{role} key {name}+{key_hash}: {refusal}")
            return entry.verifier
    raise SignatureError(f"{role} key {name}+{key_hash} is not among the keys given as trusted")

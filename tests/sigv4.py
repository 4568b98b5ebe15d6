"""Signature Version 4 as a service checks it: from the bytes of a request, without our signer."""

import hashlib
import hmac
import re
from urllib.parse import quote, unquote_to_bytes


def _hash(data):
    return hashlib.sha256(data).hexdigest()


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _canonical_query(query):
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        pairs.append(tuple(quote(unquote_to_bytes(each), safe="-_.~") for each in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def signature_holds(received, secret):
    """Whether *received* (of a ``ScriptedUpstream``) is signed with *secret*, body and all."""
    (authorization,) = received.values("Authorization")
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request,"
        r" SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        authorization.decode(),
    )
    if found is None:
        return False
    _, day, region, service, names, signature = found.groups()
    (stamp,) = received.values("X-Amz-Date")
    signed = names.split(";")
    assert signed == sorted(signed) and "host" in signed and "x-amz-date" in signed, signed
    sent = {name.decode() for name, _ in received.head.fields}
    unsigned = {name for name in sent if name.startswith("x-amz-")} - set(signed)
    assert not unsigned, unsigned
    method, target, _ = received.line.decode().split(" ")
    path, _, query = target.partition("?")
    if service == "s3":
        path = quote(unquote_to_bytes(path), safe="/-_.~")
    else:
        path = quote(path, safe="/-_.~")
    fields = [
        f"{name}:{','.join(' '.join(value.decode().split()) for value in received.values(name))}"
        for name in signed
    ]
    declared = received.values("X-Amz-Content-SHA256")
    payload = declared[0].decode() if declared else _hash(received.body)
    canonical = [method, path, _canonical_query(query), *fields, "", names, payload]
    scope = f"{day}/{region}/{service}/aws4_request"
    text = ["AWS4-HMAC-SHA256", stamp.decode(), scope, _hash("\n".join(canonical).encode())]
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = _mac(key, part)
    return hmac.compare_digest(_mac(key, "\n".join(text)).hex(), signature)

"""Verifies a bundle offline with Python's implementation of Sigstore, and writes the statement."""

import sys

from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

root, bundle, subject, issuer = sys.argv[1:]
verifier = Verifier(trusted_root=TrustedRoot.from_file(root))
with open(bundle, "rb") as file:
    bundle = Bundle.from_json(file.read())
kind, payload = verifier.verify_dsse(bundle, Identity(identity=subject, issuer=issuer))
assert kind == "application/vnd.in-toto+json", kind
sys.stdout.write(payload.decode())

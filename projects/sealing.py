"""Secrets that must be used again (tokens of other services), encrypted at rest.

Fernet (AES-128-CBC with HMAC-SHA256), under a key made from SECRET_KEY by HKDF. After a change of
SECRET_KEY those in SECRET_KEY_FALLBACKS still open what they sealed.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

FOR = b"flipscope sealed secrets, version 1"


class Unopenable(Exception):
    """It was sealed under another SECRET_KEY: the secret must be given again."""


def seal(secret: str) -> str:
    """What may be stored; differs each time."""
    return _keys().encrypt(secret.encode()).decode()


def opened(sealed: str) -> str:
    """The secret. Raises Unopenable."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unopenable("SECRET_KEY is not the one that this was sealed with.") from None


def _keys() -> MultiFernet:
    return _made((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=8)
def _made(secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([_fernet(secret) for secret in secrets])


def _fernet(secret: str) -> Fernet:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=FOR).derive(
        secret.encode()
    )
    return Fernet(base64.urlsafe_b64encode(derived))

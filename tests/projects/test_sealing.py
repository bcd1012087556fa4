"""Tokens of other services: unreadable in the database, and usable after a change of SECRET_KEY."""

from typing import Any

import pytest

from projects.sealing import Unopenable, opened, seal


def test_what_is_sealed_opens_and_never_looks_the_same_twice() -> None:
    sealed = [seal("api-t0ken-ü") for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert "t0ken" not in sealed[0]
    assert {opened(one) for one in sealed} == {"api-t0ken-ü"}


def test_a_changed_secret_key_opens_only_what_its_fallbacks_sealed(settings: Any) -> None:
    settings.SECRET_KEY = "a" * 50
    sealed = seal("token")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "b" * 50, ["a" * 50]
    assert opened(sealed) == "token"
    settings.SECRET_KEY_FALLBACKS = []
    for one in (sealed, f"{sealed[:-4]}AAAA", "", "nonsense"):
        with pytest.raises(Unopenable):
            opened(one)

"""Style sheets and scripts as browsers get them: together, zipped, and kept for good."""

import gzip
import re

import pytest
from django.test import Client

from web import assets


@pytest.mark.parametrize("name", assets.BUNDLES)
def test_every_bundle_is_served_whole_and_kept_for_good(name: str) -> None:
    got = Client().get(assets.address(name), headers={"Accept-Encoding": "gzip, br"})
    assert got.status_code == 200
    assert got["Cache-Control"] == "public, max-age=31536000, immutable"
    assert got["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in got["Vary"]
    assert gzip.decompress(got.content) == assets.bundle(name).plain
    assert len(got.content) < len(assets.bundle(name).plain)


def test_a_client_that_cannot_unzip_gets_it_plain() -> None:
    got = Client().get(assets.address("app.css"))
    assert "Content-Encoding" not in got
    assert got.content == assets.bundle("app.css").plain


def test_an_address_of_another_release_is_answered_and_not_kept() -> None:
    got = Client().get("/-/assets/000000000000/app.js")
    assert got.content == assets.bundle("app.js").plain
    assert got["Cache-Control"] == "no-cache"


def test_what_is_no_bundle_is_not_found() -> None:
    assert Client().get("/-/assets/000000000000/settings.py").status_code == 404


def test_files_that_a_style_sheet_names_are_found_from_where_it_is() -> None:
    named = re.findall(r'url\("([^"]+)"\)', assets.bundle("app.css").plain.decode())
    assert named
    for address in named:
        assert Client().get(address).status_code == 200

"""The addresses by which resources of several upstreams are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.calls.addresses import address_of, below, read_address


@given(st.from_regex(r"[-a-zA-Z0-9_]{1,40}", fullmatch=True), st.text(min_size=1))
def test_an_address_is_read_as_what_it_was_made_of(upstream: str, uri: str):
    assert read_address(address_of(upstream, uri)) == (upstream, uri)


@pytest.mark.parametrize("uri", ["", "book://moby", "placet://u/", "placet://u//x", "placet://u/a"])
def test_any_other_uri_is_no_address(uri: str):
    assert read_address(uri) is None


@pytest.mark.parametrize(
    ("uri", "root", "rest"),
    [
        ("file:///a", "file:///a", ""),
        ("file:///a/b", "file:///a", "/b"),
        ("file:///a/b", "file:///a/", "/b"),
        ("file:///ab", "file:///a", None),
        ("file:///a", "file:///a/b", None),
    ],
)
def test_a_part_lies_below_its_whole(uri: str, root: str, rest: str | None):
    assert below(uri, root) == rest

"""Webhooks lead to the public internet over https, and nowhere else, however an address is written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intune_pipeline.domain.web_addresses import AddressRefusedError, WebAddress, is_public, parsed

PRIVATE = [
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",  # Alibaba's metadata
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's host
    "169.254.0.1",
    "169.254.169.254",  # metadata of AWS, Azure, Google
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",  # Oracle's metadata
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # AWS's metadata
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "",
    "localhost",
    "1.2.3",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2620:fe::fe"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_on_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_on_the_public_internet_is_allowed(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [one for one in PRIVATE if one not in {"127.0.0.1", "127.255.255.254", "::1"}])
def test_the_sandbox_allows_loopback_and_nothing_else(address: str) -> None:
    assert is_public("127.0.0.1", loopback=True)
    assert is_public("::1", loopback=True)
    assert not is_public(address, loopback=True)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_passes_inside_an_ipv6_one(address: ipaddress.IPv4Address) -> None:
    for inside in (
        f"::ffff:{address}",
        f"::{address}",
        f"64:ff9b::{address}",
        f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}::1",
    ):
        assert not is_public(inside), inside


@given(st.ip_addresses())
def test_what_python_calls_private_never_passes(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        assert not is_public(str(address))


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
        "https://",
        "https:///path",
        "https://user@hooks.example.com/",
        "https://user:word@hooks.example.com/",
        "https://hooks.example.com@10.0.0.1/",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:5432/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:x/",
        "https://hooks.example.com/#here",
        "https://hooks.example.com\\@10.0.0.1/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/a\\b",
        "https://hooks.example.com/\r\nHost: x",
        "https://hooks.exämple.com/",
        "https://[fe80::1%25eth0]/",
        "https://hooks.example.com%2f@x/",
        "https://a_b.example.com/",
        "https://" + "a" * 500,
        "",
    ],
)
def test_an_address_that_is_no_plain_https_one_is_refused_in_a_sentence(address: str) -> None:
    with pytest.raises(AddressRefusedError, match=r"\.$"):
        parsed(address)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("https://a b", "Enter an address of at most 500 letters, digits and signs, without spaces."),
        ("https://" + "a" * 493, "Enter an address of at most 500 letters, digits and signs, without spaces."),
        ("https://hooks.example.com:x/", "This is not a web address."),
        ("http://hooks.example.com/", "The address must begin with https:// and name a host."),
        ("https://", "The address must begin with https:// and name a host."),
        ("https://a@hooks.example.com/", "The address must not hold a user, a password or a part after #."),
        ("https://hooks.example.com/#a", "The address must not hold a user, a password or a part after #."),
        ("https://a_b.example.com/", "The host's name must be letters, digits, dots and hyphens."),
        ("https://hooks.example.com:80/", "The port must be 443 or 8443."),
    ],
)
def test_each_refusal_says_what_to_enter_instead(address: str, sentence: str) -> None:
    with pytest.raises(AddressRefusedError) as refused:
        parsed(address)
    assert str(refused.value) == sentence


def test_an_address_is_taken_apart() -> None:
    assert parsed("https://Hooks.Example.com/in?x=1") == WebAddress("hooks.example.com", 443, "/in?x=1")
    assert parsed("https://[2606:4700::1]:8443") == WebAddress("2606:4700::1", 8443, "/")
    assert parsed("https://127.0.0.1:5000/a", loopback=True).port == 5000
    longest = "https://hooks.example.com/".ljust(500, "x")
    assert parsed(longest).target == longest.removeprefix("https://hooks.example.com")


@given(st.text(max_size=60).map("https://".__add__))
def test_whatever_is_entered_is_taken_apart_or_refused(address: str) -> None:
    try:
        found = parsed(address)
    except AddressRefusedError:
        return
    assert found.host
    assert found.port in {443, 8443}

"""Signatures, retries and hosts of webhooks: rules without any I/O."""

import base64

import pytest

from transcription.core.webhooks import (
    LONGEST_RETRY_S,
    closed_event_id,
    is_allowed,
    make_secret,
    origin,
    retry_after_s,
    segment_event_id,
    signature,
)

PUBLISHED = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    1614265330,
    '{"test": 2432232314}',
)
"""The standard's own example, with its answer below."""


def test_the_signature_of_the_standard_s_example() -> None:
    assert signature(*PUBLISHED) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_random_bytes_in_base64() -> None:
    secret = make_secret(bytes(range(32)))

    assert base64.b64decode(secret.removeprefix("whsec_")) == bytes(range(32))
    with pytest.raises(ValueError, match="whsec_"):
        signature("whsec_?", "msg_1", 0, "")


def test_tries_come_ever_later_up_to_an_hour() -> None:
    waits = [retry_after_s(attempts, 0.0) for attempts in range(1, 13)]

    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, LONGEST_RETRY_S, LONGEST_RETRY_S]
    assert retry_after_s(1, 1.0) == 6
    assert retry_after_s(100_000, 0.0) == LONGEST_RETRY_S


def test_ids_tell_events_apart_and_stay_the_same() -> None:
    ids = [segment_event_id("u1", "seg-0001"), segment_event_id("u1", "seg-0002"), closed_event_id("u1")]

    assert len({*ids, closed_event_id("u2")}) == 4
    assert ids[0] == segment_event_id("u1", "seg-0001")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.example.com/stt?x=1", ["hooks.example.com"]),
        ("https://HOOKS.example.com:443/", ["hooks.example.com"]),
        ("https://a.b.example.com/", ["*.example.com"]),
        ("http://crm.internal:8080/", ["http://crm.internal:8080"]),
        ("https://hooks.example.com:8443/", ["https://hooks.example.com:8443"]),
        ("http://[fd00::5]:8080/x", ["http://[fd00::5]:8080"]),
    ],
)
def test_hosts_that_are_allowed(url: str, allowed: list[str]) -> None:
    assert is_allowed(url, allowed)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.example.com/", []),
        ("http://hooks.example.com/", ["hooks.example.com"]),
        ("https://hooks.example.com:8443/", ["hooks.example.com"]),
        ("https://hooks.example.com.evil.org/", ["hooks.example.com"]),
        ("https://evilexample.com/", ["*.example.com"]),
        ("https://example.com/", ["*.example.com"]),
        ("https://evil.org/hooks.example.com", ["hooks.example.com"]),
        ("https://evil.org\\@hooks.example.com/", ["evil.org"]),
    ],
)
def test_hosts_that_are_not(url: str, allowed: list[str]) -> None:
    """Another scheme, port or host, however it is written."""
    try:
        assert not is_allowed(url, allowed)
    except ValueError as error:
        assert "expected an address" in str(error)  # noqa: PT017 - either will do


@pytest.mark.parametrize(
    "address", ["", "ftp://a.example/", "https://", "https://user@a.example/", "https://:p@a.example"]
)
def test_what_is_no_address_says_what_was_expected(address: str) -> None:
    with pytest.raises(ValueError, match="expected an address such as https"):
        origin(address)

"""Where the service is and what of it may be told."""

import traceback

import pytest
from whisper_stt.session.address import Address, hide
from whisper_stt.session.errors import OptionError

SECRET = "Zx9-sekret"


@pytest.mark.parametrize(
    ("url", "dialled", "page"),
    [
        ("ws://stt:8000/ws/stt", "ws://stt:8000/ws/stt", "http://stt:8000/health/status"),
        ("ws://stt:8000/ws/stt\n", "ws://stt:8000/ws/stt", "http://stt:8000/health/status"),
        ("wss://stt.example.com/voice/ws/stt", None, "https://stt.example.com/voice/health/status"),
        ("wss://stt.example.com/voice/ws/stt/", None, "https://stt.example.com/voice/health/status"),
        ("ws://stt", "ws://stt/", "http://stt/health/status"),
        ("ws://[::1]:8000/ws/stt", None, "http://[::1]:8000/health/status"),
        ("wss://maçã.example/ws/stt", "wss://xn--ma-tiap.example/ws/stt", "https://xn--ma-tiap.example/health/status"),
        ("ws://stt/ação/ws/stt", "ws://stt/a%C3%A7%C3%A3o/ws/stt", "http://stt/a%C3%A7%C3%A3o/health/status"),
    ],
)
def test_address(url: str, dialled: str | None, page: str) -> None:
    address = Address(url)
    assert address.url == (dialled or url)
    assert address.page("/health/status") == page
    assert address.headers == {}


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("", "scheme"),
        ("localhost:8000/ws/stt", "scheme"),
        (f"http://{SECRET}@stt/ws/stt", "scheme"),
        (f"{SECRET}:8000", "scheme"),
        ("ws://", "no host"),
        (f"ws://:{SECRET}@:80/", "no host"),
        ("ws://:8000/ws/stt", "no host"),
        ("ws://a..b/ws/stt", "no host that is a name"),
        (f"ws://{'a' * 64}.example/", "no host that is a name"),
        ("ws://[::1/ws/stt", "no host that is a name"),
        ("ws://stt:0/ws/stt", "port from 1 to 65535"),
        ("ws://stt:99999/ws/stt", "port from 1 to 65535"),
        ("ws://stt:abc/ws/stt", "port from 1 to 65535"),
        (f"ws://user:{SECRET}/more@stt/ws/stt", "port from 1 to 65535"),
        (f"ws://user:{SECRET}#more@stt/ws/stt", "port from 1 to 65535"),
        (f"ws://user:{SECRET} more@stt/ws/stt", "a space"),
        (f"ws://user:{SECRET}\n@stt/ws/stt", "a line break"),
        ("ws://stt/\udcff", "no URL has"),
    ],
)
def test_wrong_url_is_named_and_not_quoted(url: str, what: str) -> None:
    with pytest.raises(OptionError, match=what) as caught:
        Address(url)
    assert "STT_URL" in str(caught.value)
    assert "expected ws://host:port or wss://host:port" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "what"),
    [
        (f"{SECRET}\n", "a line break"),
        (f"{SECRET}\r\n", "a line break"),
        (f"{SECRET} ", "a space or a control character"),
        (f"\t{SECRET}", "a space or a control character"),
        (f"{SECRET}\0", "a space or a control character"),
        (f"{SECRET}ключ", "not ASCII"),
        (f"{SECRET}\udcff", "not ASCII"),
    ],
)
def test_wrong_key_is_named_and_not_quoted(key: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        Address("ws://stt", key)
    assert "STT_API_KEY" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value)).replace("SECRET", "")


def test_credentials_are_sent_and_told_to_nobody() -> None:
    address = Address(f"ws://me:{SECRET}%40x@stt:8000/ws/stt?token={SECRET}&more=1")
    assert address.headers == {"Authorization": "Basic bWU6Wng5LXNla3JldEB4"}
    assert address.url == f"ws://stt:8000/ws/stt?token={SECRET}&more=1"
    assert f"{address} {address!r}" == "ws://stt:8000/ws/stt ws://stt:8000/ws/stt"
    echoed = f"{SECRET}@x, Basic bWU6Wng5LXNla3JldEB4, {SECRET}, {SECRET}%40x"
    assert address.hide(echoed) == "…, Basic …, …, …"


def test_key_goes_before_a_password() -> None:
    assert Address(f"ws://me:{SECRET}@stt", "key").headers == {"Authorization": "Bearer key"}


def test_hide_needs_no_secret_to_know_one() -> None:
    told = f"no ws://me:{SECRET}@stt/x?token={SECRET} there, nor rtsp://{SECRET}/{SECRET}@cam; is it 5 @ 3?"
    assert hide(told) == "no ws://…@stt/x?… there, nor rtsp://…@cam; is it 5 @ 3?"

"""What is shown once everything runs, in a checkout and in the all-in-one image."""

import socket
from pathlib import Path

import pytest

from launcher import banner
from sttproject import env

pytestmark = pytest.mark.django_db


def test_a_checkout_is_tried_with_the_client() -> None:
    shown = banner.banner(env.load(), "127.0.0.1", is_profile=False, redis_from="embedded")

    assert "whisper-stt transcribe tests/audio/s13_pm_alex.wav\n" in shown
    assert "docker exec" not in shown


def test_an_image_says_where_it_is_and_how_to_make_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the container's id; the client and the recording are not in it."""
    monkeypatch.setattr(banner, "BASE_DIR", tmp_path)
    shown = banner.banner(env.load(host="0.0.0.0"), "127.0.0.1", is_profile=False, redis_from="embedded")

    assert "Page        http://127.0.0.1:8000/" in shown
    assert f"docker exec -it {socket.gethostname()} python manage.py createapikey NAME" in shown.replace(
        "python3", "python"
    )
    assert "tests/audio" not in shown


def test_where_keys_are_required_it_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banner, "BASE_DIR", tmp_path)
    shown = banner.banner(env.load(auth="required"), "127.0.0.1", is_profile=False, redis_from="embedded")

    assert shown.count("createapikey") == 1
    assert "Open  " not in shown


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("", "127.0.0.1"), ("::1", "[::1]")]
)
def test_its_addresses_can_be_opened(host: str, address: str) -> None:
    """Those of IPv6 are in brackets in a URL."""
    assert banner.reached_at(host) == address

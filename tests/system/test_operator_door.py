"""The admin's door and the deployment's checks, on a running web process configured as docker-compose.yml does."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import yaml

from harness.processes import ROOT
from harness.stack import ECHO, Stack
from harness.talker import Talker

PASSWORD = "operator's password"


def compose_settings(**given: str) -> dict[str, str]:
    """What the compose file's web container has in its environment when `.env` says what is given."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    settings = {}
    for name, value in services["web"]["environment"].items():
        text = re.sub(
            r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: given.get(found[1], found[2] or ""), str(value or "")
        )
        if text or name in given:
            settings[name] = given.get(name, text)
    return settings


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Compose's settings, but for what only its containers have."""
    settings = compose_settings(SECRET_KEY="s3cret" * 10, ALLOWED_HOSTS="127.0.0.1,stt.example.com")
    for name in ("STT_REDIS_URL", "DATABASE_URL", "STT_PORT"):
        settings.pop(name)
    with Stack(tmp_path_factory.mktemp("composed"), ECHO | settings) as stack:
        stack.start_worker()
        stack.start_web("--proxy-headers")
        stack.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        for name in ("op", "victim"):
            stack.manage("createsuperuser", "--noinput", "--username", name, "--email", f"{name}@x.example")
        yield stack


class Browser(requests.Session):
    """One behind the TLS proxy: it says https, and who it is."""

    def __init__(self, stack: Stack, address: str = "192.0.2.1") -> None:
        super().__init__()
        self._url = stack.http_url
        self.headers["X-Forwarded-Proto"] = "https"
        self.headers["X-Forwarded-For"] = address
        self.headers["Referer"] = stack.http_url.replace("http:", "https:") + "/admin/"

    def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:
        """With the cookies that a browser would send over https."""
        request.headers["Cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)
        return super().send(request, **options)

    def page(self, path: str) -> requests.Response:
        return self.get(self._url + path, timeout=10, allow_redirects=False)

    def submit(self, path: str, **form: str) -> requests.Response:
        self.page(path)
        form["csrfmiddlewaretoken"] = self.cookies["csrftoken"] or ""
        return self.post(self._url + path, data=form, timeout=10, allow_redirects=False)

    def login(self, name: str, password: str) -> int:
        """302 when let in, 200 when wrong, 429 when the door is closed."""
        return self.submit("/admin/login/?next=/admin/", username=name, password=password).status_code


def test_check_deploy_has_nothing_to_say(composed: Stack) -> None:
    """Not even a warning, with the model that Portuguese needs."""
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    environ = composed.env | {"STT_WHISPER_MODEL": "large-v3-turbo"}
    done = subprocess.run(command, env=environ, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"STT_AUTH": "off"}, "stt.E002"),
        ({"STT_AUTH": "off", "STT_HOST": "192.0.2.7"}, "stt.E002"),
        ({"STT_AUTH": "off", "STT_HOST": "127.0.0.1"}, ""),
        ({"STT_AUTH": "off", "STT_HOST": "::1"}, ""),
        ({"SECRET_KEY": "insecure-development-key"}, "stt.E001"),
        ({"STT_HTTPS": "false"}, "security.W012"),
        ({"DEBUG": "true"}, "security.W018"),
    ],
)
def test_check_deploy_tells_what_is_open(composed: Stack, settings: dict[str, str], found: str) -> None:
    """Each by its id; what is only for this machine is not."""
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    environ = composed.env | {"STT_WHISPER_MODEL": "large-v3-turbo"} | settings
    done = subprocess.run(command, env=environ, cwd=ROOT, check=False, capture_output=True, text=True)

    assert (done.returncode != 0) is bool(found), done.stderr
    assert found in done.stderr


def test_pages_have_the_headers_of_a_careful_site(composed: Stack) -> None:
    """Cookies that no script and no plain connection gets, among them."""
    page = Browser(composed).page("/admin/login/")
    plain = requests.get(f"{composed.http_url}/health/live", timeout=10)

    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Secure" in page.headers["Set-Cookie"]
    assert "Strict-Transport-Security" not in plain.headers
    assert plain.status_code == 200, "probes need no TLS"


def test_guesses_at_a_password_are_limited_and_lock_nobody_else_out(composed: Stack) -> None:
    """Five from an address; then not even the right one, while the operator gets in from elsewhere."""
    guesser = Browser(composed, "203.0.113.9")
    wrong = [guesser.login("victim", f"guess {n}") for n in range(7)]
    right = guesser.login("victim", PASSWORD)
    other_name = Browser(composed, "203.0.113.9").login("op", PASSWORD)
    elsewhere = Browser(composed, "192.0.2.1").login("victim", PASSWORD)

    assert wrong[:4] == [200] * 4
    assert wrong[5:] == [429] * 2
    assert (right, other_name, elsewhere) == (429, 302, 302)


@pytest.mark.parametrize(
    ("origin", "answer"), [("https://stt.example.com", 302), ("https://evil.example", 403), ("null", 403)]
)
def test_a_form_passes_a_proxy_that_says_http(composed: Stack, origin: str, answer: int) -> None:
    """TLS ended one proxy before: the host of ALLOWED_HOSTS is trusted over HTTPS, no other is."""
    browser = Browser(composed, "198.51.100.7")
    browser.headers.update({"Host": "stt.example.com", "X-Forwarded-Proto": "http", "Origin": origin})

    assert browser.login("op", PASSWORD) == answer


async def test_the_admin_makes_a_key_shows_it_once_and_revokes_it(composed: Stack) -> None:
    """It works until it is revoked, and no other page shows it."""
    browser = Browser(composed)
    assert browser.login("op", PASSWORD) == 302
    form = {"name": "from the admin", "expires_0": "", "expires_1": "", "max_sessions": "3", "minutes_a_day": ""}
    created = browser.submit("/admin/transcription/apikey/add/", **form)
    (token,) = re.findall(r"stt_[0-9a-f]{12}_[\w-]{43}", created.text)
    async with Talker(composed.ws_url, token) as talker:
        started = await talker.start()
        pages = [browser.page("/admin/transcription/apikey/")]
        (number,) = re.findall(r"/admin/transcription/apikey/(\d+)/change/", pages[0].text)
        pages += [browser.page(f"/admin/transcription/apikey/{number}/{name}/") for name in ("change", "history")]
        pages += [browser.page("/admin/"), browser.page("/admin/transcription/session/")]
        revoked = browser.submit("/admin/transcription/apikey/", action="revoke", _selected_action=number)
        error = await talker.until("error", patience_s=10)

    assert started["type"] == "session_started"
    assert created.status_code == 200
    assert "no-store" in created.headers["Cache-Control"]
    assert token.split("_", 2)[2] not in "".join(page.text + str(page.headers) for page in pages)
    assert [page.status_code for page in pages] == [200] * 5
    assert "from the admin" in pages[0].text
    assert revoked.status_code == 302
    assert error["code"] == "UNAUTHORIZED"


def test_a_key_that_has_expired_already_is_not_made(composed: Stack) -> None:
    """The form says so."""
    browser = Browser(composed)
    browser.login("op", PASSWORD)
    form = {"name": "late", "expires_0": "2020-01-01", "expires_1": "00:00:00", "max_sessions": "", "minutes_a_day": ""}
    page = browser.submit("/admin/transcription/apikey/add/", **form)

    assert "Expected a time to come." in page.text
    assert "stt_" not in page.text


def test_no_secret_is_on_a_command_line(composed: Stack) -> None:
    """`ps` shows arguments to everybody."""
    shown = b""
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            shown += command_line.read_bytes()

    assert composed.env["SECRET_KEY"].encode() not in shown
    assert composed.redis_url.encode() not in shown

"""The pages without a server: what each says of a cluster that is well, lacks something, or is away."""

from collections.abc import Iterator

import msgspec
import pytest
import redis
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.test import Client
from pytest_django.fixtures import Settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.processes import free_port
from tests.cluster.workers import announce
from transcription import views
from transcription.core.contract import keyspace
from transcription.core.contract.heartbeat import GaveUp
from transcription.ingress import draining

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]  # no collectstatic
READ_ONLY = ["/", "/health/live", "/health/startup", "/health/ready", "/health/status", "/metrics"]


@pytest.fixture(autouse=True)
def cluster(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> redis.Redis:
    """One worker."""
    announce(valkey)
    monkeypatch.setattr(views, "probe_client", lambda: valkey)
    return valkey


@pytest.fixture
def no_redis(cluster: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    away = redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr(views, "probe_client", lambda: away)


@pytest.fixture
def draining_server() -> Iterator[None]:
    draining.began.set()
    yield
    draining.began.clear()


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html", True),
        ("application/json;q=0.1,text/html", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("image/png", False),
        ("application/json,text/html;q=0.9", False),
    ],
)
def test_the_root_is_a_page_for_who_asks_for_one_first(client: Client, accept: str, html: bool) -> None:
    """Service info for all others; a cache must tell them apart."""
    response = client.get("/", headers={"accept": accept} if accept else {})

    assert response["Content-Type"].startswith("text/html" if html else "application/json")
    assert response["Vary"] == "Accept"


def test_the_page_may_reach_nothing_but_this_service(client: Client) -> None:
    response = client.get("/", headers={"accept": "text/html", "host": "localhost:8000"})
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))

    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self' ws://localhost:8000 wss://localhost:8000"
    assert not [value for name, value in policy.items() if name != "connect-src" and value not in ("'none'", "'self'")]
    assert response["Permissions-Policy"] == "microphone=(self)"


def test_service_info_names_what_is_served_where(client: Client, settings: Settings) -> None:
    settings.STT = django_settings.STT.model_copy(update={"auth": "required", "whisper_model": "tiny"})
    info = client.get("/").json()

    assert (info["service"], info["model"], info["auth"]) == ("whisper-stt", "tiny", "required")
    assert [client.get(path).status_code for path in (*info["health"], info["metrics"])] == [200] * 5
    assert client.get(info["websocket"]).status_code == 426


@pytest.mark.parametrize("path", READ_ONLY)
def test_pages_are_read_and_nothing_else(path: str) -> None:
    """By whatever form, cookie or not: the answer is about the method."""
    client = Client(enforce_csrf_checks=True)
    refused = [client.generic(method, path) for method in ("POST", "PUT", "DELETE", "OPTIONS")]
    head = client.head(path)

    assert {(response.status_code, response["Allow"]) for response in refused} == {(405, "GET, HEAD")}
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", ["/ws/stt", "/ws/stt/", "/v1/listen", "/v2/listen", "/v1/realtime", "/ws/admin/live"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_socket_s_path_asks_for_a_handshake(path: str, method: str) -> None:
    response = Client(enforce_csrf_checks=True).generic(method, path)

    assert (response.status_code, response["Upgrade"], response["Connection"]) == (426, "websocket", "Upgrade")
    assert response["Content-Length"] == str(len(response.content))


@pytest.mark.parametrize("path", READ_ONLY[1:])
def test_probes_answer_by_any_name_and_the_page_does_not(client: Client, path: str, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["stt.example.com"]
    by_address = {"host": "10.1.2.3:8000"}

    assert client.get(path, headers=by_address).status_code == 200
    assert client.get("/", headers=by_address).status_code == 400


def test_all_is_well(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "alive"}
    assert client.get("/health/startup").json() == {"status": "started", "checks": {"redis": "ok", "database": "ok"}}
    assert client.get("/health/ready").json() == {
        "status": "ready",
        "checks": {"redis": "ok", "database": "ok", "worker": "ok"},
    }


def test_without_a_worker_the_process_has_started_and_is_not_ready(client: Client, cluster: redis.Redis) -> None:
    """The probe says what became of the last one."""
    cluster.delete(keyspace.WORKERS_KEY)
    bare = client.get("/health/ready")
    gave_up = GaveUp(worker_id="w0", reason="the model cannot decode", at=9e12)
    cluster.lpush(keyspace.GAVE_UP_KEY, msgspec.json.encode(gave_up))
    told = client.get("/health/ready").json()["checks"]["worker"]

    assert (bare.status_code, bare.json()["status"]) == (503, "not_ready")
    assert bare.json()["checks"]["worker"] == "no worker has its model loaded"
    assert told == "no worker has its model loaded; the last one gave up: the model cannot decode"
    assert client.get("/health/startup").status_code == 200


def test_every_check_is_told_not_only_the_first_that_fails(
    client: Client, no_redis: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OperationalError("no such table")

    monkeypatch.setattr(connection, "cursor", fail)
    startup, ready = client.get("/health/startup"), client.get("/health/ready")

    assert (startup.status_code, startup.json()["status"]) == (503, "starting")
    assert set(startup.json()["checks"]) == {"redis", "database"}
    assert startup.json()["checks"]["database"] == "no such table"
    assert "ok" not in ready.json()["checks"].values()
    assert client.get("/health/live").status_code == 200


def test_a_server_that_stops_is_not_ready(client: Client, draining_server: None) -> None:
    """Whatever else is well; it is alive."""
    response = client.get("/health/ready")

    assert (response.status_code, response.json()["status"]) == (503, "not_ready")
    assert response.json()["checks"] == {"draining": "The server is shutting down"}
    assert client.get("/health/live").status_code == 200


def test_the_status_has_the_cluster_s_figures(client: Client, cluster: redis.Redis) -> None:
    cluster.rpush(keyspace.QUEUE, "a", "b")
    cluster.zadd(keyspace.SESSIONS_KEY, {"s": 9e9})
    cluster.hset(keyspace.COUNTERS_KEY, mapping={"requests": 5, "rejected": 2})
    cluster.hset(keyspace.SHEDDING_KEY, "step", 3)
    gave_up = GaveUp(worker_id="w0", reason="no", at=9e12)  # by a clock ahead of ours
    cluster.lpush(keyspace.GAVE_UP_KEY, msgspec.json.encode(gave_up))
    status = client.get("/health/status").json()

    assert (status["status"], status["accepting_requests"]) == ("ready", True)
    assert status["model"] == {"model_size": "tiny", "device": "cpu", "compute_type": "int8", "ready": True}
    assert (status["queue"]["depth"], status["sessions"]["active"], status["capacity"]["step"]) == (2, 1, 3)
    assert (status["queue"]["total_requests"], status["queue"]["rejected_requests"]) == (5, 2)
    assert status["workers"] == {"ready": 1, "gave_up": [{"worker": "w0", "reason": "no", "seconds_ago": 0}]}


def test_the_status_of_a_cluster_without_workers_and_of_one_that_is_away(
    client: Client, cluster: redis.Redis, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """The model is the one that was asked for; nobody is accepted."""
    settings.STT = django_settings.STT.model_copy(update={"whisper_model": "asked-for"})
    cluster.delete(keyspace.WORKERS_KEY)
    idle = client.get("/health/status")
    monkeypatch.setattr(views, "probe_client", lambda: redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0)))
    away = client.get("/health/status")

    assert (idle.status_code, idle.json()["status"], idle.json()["accepting_requests"]) == (200, "not_ready", False)
    assert idle.json()["model"] | {"ready": False} == idle.json()["model"]
    assert idle.json()["model"]["model_size"] == "asked-for"
    assert idle.json()["capacity"] == {"estimated_max_concurrent": 0, "current_load_percent": 100.0, "step": 0}
    assert (away.status_code, away.json()["accepting_requests"]) == (503, False)


@pytest.mark.parametrize("path", ["/health/status", "/metrics"])
@pytest.mark.parametrize(
    ("given", "status"),
    [("", 401), ("Bearer wrong", 401), ("Bearer geheim ", 401), ("Basic geheim", 401), ("Bearer geheim", 200)],
)
def test_figures_are_for_who_has_the_token(
    client: Client, settings: Settings, path: str, given: str, status: int
) -> None:
    """Where there is one; probes never need it."""
    settings.STT = django_settings.STT.model_copy(update={"status_token": "geheim"})
    response = client.get(path, headers={"authorization": given} if given else {})

    assert response.status_code == status
    assert (response.get("WWW-Authenticate") == "Bearer") is (status == 401)
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize("page", ["/api/usage?key=%00", "/admin/?language=a%00b", "/?x=%00"])
def test_a_query_with_a_nul_is_refused(page: str) -> None:
    """PostgreSQL would fail at it, in a page's filter or a program's."""
    answer = Client().get(page)

    assert answer.status_code == 400
    assert "without NUL" in answer.json()["error"]
    assert Client().get("/?x=%2500").status_code == 200

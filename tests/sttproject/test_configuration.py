"""The environment, its checks and the embedded profile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.processes import ROOT, bare_environment
from launcher import profile
from sttproject import env
from sttproject.checks import is_english_only, problems


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, no `.env`."""
    for name in list(os.environ):
        if name.startswith("STT_") or name in env.variables():
            monkeypatch.delenv(name)
    monkeypatch.setattr(env, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setitem(env.Env.model_config, "env_file", tmp_path / ".env")


def found(stt: env.Env) -> dict[str, str]:
    return {problem.id: f"{problem.msg} {problem.hint or ''}" for problem in problems(stt)}


def test_defaults_are_those_of_the_contract() -> None:
    """Each of its table."""
    stt = env.load()
    defaults = {
        "host": "0.0.0.0", "port": 8000, "max_sessions": 100, "whisper_model": "distil-large-v3",
        "compute_type": "float16", "device": "cuda", "language": "pt", "vad_enabled": True, "vad_threshold": 0.5,
        "vad_min_speech_ms": 250, "vad_min_silence_ms": 500, "partial_interval_ms": 300, "max_partial_window_s": 8,
        "max_utterance_s": 30, "max_buffer_ms": 5000, "max_queue_depth": 20, "max_estimated_server_total_ms": 500,
        "log_level": "INFO",
    }  # fmt: skip

    assert {name: getattr(stt, name) for name in defaults} == defaults


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`.env` for what the environment leaves out."""
    (tmp_path / ".env").write_text("STT_PORT=9000\nSTT_MAX_SESSIONS=7\n")
    monkeypatch.setenv("STT_PORT", "9001")

    assert (env.load().port, env.load().max_sessions) == (9001, 7)


def test_all_bad_values_are_named_at_once_and_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variable, value, what is allowed."""
    for name, value in {"STT_PORT": "0", "STT_DEVICE": "tpu", "STT_REDIS_URL": "http://:hunter2@x"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(env.BadEnvironment) as bad:
        env.load()

    for said in (
        "STT_PORT='0': ",
        "greater than or equal to 1",
        "STT_DEVICE='tpu'",
        "'cuda' or 'cpu'",
        "STT_REDIS_URL",
    ):
        assert said in str(bad.value)
    assert "hunter2" not in str(bad.value)


@pytest.mark.parametrize(
    ("model", "english"),
    [
        ("distil-large-v3", True),
        ("base.en", True),
        ("Systran/faster-distil-whisper-large-v3", True),
        ("/models/small.en/", True),
        ("large-v3-turbo", False),
        ("someone/whisper-pt", False),
    ],
)
def test_english_only_models_are_known_by_name(model: str, english: bool) -> None:
    """`distil-*` and `*.en`, with or without an owner or a path."""
    assert is_english_only(model) is english


def test_the_default_model_is_warned_of_for_portuguese_and_not_for_english() -> None:
    """With the one to take."""
    assert "large-v3-turbo" in found(env.load())["stt.W001"]
    assert "stt.W001" not in found(env.load(language="en"))
    assert "stt.W001" not in found(env.load(whisper_model="large-v3-turbo"))


def test_who_makes_a_key_is_not_told_of_a_model_that_nobody_chose(tmp_path: Path) -> None:
    """`make run` may have taken another; who asks or installs is told, and so is who chose it."""
    environment = bare_environment() | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}

    def told(*command: str, **chosen: str) -> bool:
        run = [sys.executable, "manage.py", *command]
        return (
            "stt.W001"
            in subprocess.run(
                run, cwd=ROOT, env=environment | chosen, capture_output=True, text=True, check=True
            ).stderr
        )

    assert told("migrate", "-v", "0")
    assert not told("createapikey", "somebody")
    assert told("createapikey", "somebody", STT_WHISPER_MODEL="base.en")
    assert told("check")


@pytest.mark.parametrize("zone", ["Brasil", "/etc/localtime", "America", "../UTC", ""])
def test_a_time_zone_that_there_is_not_is_refused(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, with one that is good; languages are written as people write them."""
    monkeypatch.setenv("TIME_ZONE", zone)
    with pytest.raises(env.BadEnvironment, match=r"TIME_ZONE=.*America/Sao_Paulo"):
        env.load()
    monkeypatch.setenv("TIME_ZONE", "America/Sao_Paulo")
    monkeypatch.setenv("LANGUAGE_CODE", "pt-BR")
    assert (env.load().time_zone, env.load().language_code) == ("America/Sao_Paulo", "pt-br")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"turn_mode": "auto", "speculate_ms": 0}, "STT_TURN_MODE"),
        ({"turn_mode": "auto", "speculate_ms": 600}, "STT_TURN_MODE"),
        ({"max_partial_window_s": 20.0, "max_utterance_s": 10.0}, "STT_MAX_PARTIAL_WINDOW_S"),
        ({"vad_min_speech_ms": 2000, "max_utterance_s": 2.0}, "STT_VAD_MIN_SPEECH_MS"),
        ({"vad_min_silence_ms": 3000, "max_utterance_s": 2.0}, "STT_VAD_MIN_SILENCE_MS"),
        ({"max_frame_bytes": 131072, "max_buffer_ms": 1000}, "STT_MAX_FRAME_BYTES"),
        ({"result_timeout_s": 0.4}, "STT_RESULT_TIMEOUT_S"),
        ({"worker_threads": 30}, "STT_WORKER_THREADS"),
        ({"fetch_networks": "10.0.8.0/24"}, "STT_FETCH_NETWORKS"),
    ],
)
def test_settings_that_undo_each_other_are_named(settings: dict[str, float | str], named: str) -> None:
    """One warning each; the defaults give none."""
    assert named in found(env.load(**settings))["stt.W003"]
    assert "stt.W003" not in found(env.load())


def test_a_misspelt_variable_is_noticed_in_the_environment_and_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the name probably meant."""
    monkeypatch.setenv("STT_WISPER_MODEL", "base")
    (tmp_path / ".env").write_text("STT_PROT=9000\n")

    assert env.misspelt() == [("STT_PROT", "STT_PORT"), ("STT_WISPER_MODEL", "STT_WHISPER_MODEL")]


def test_without_cuda_the_embedded_profile_fills_in_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting by setting; nothing that is set is touched."""
    monkeypatch.setattr(profile, "cuda_devices", lambda: 0)
    assert profile.machine_profile() == profile.EMBEDDED_PROFILE
    monkeypatch.setenv("STT_WHISPER_MODEL", "small")
    monkeypatch.setenv("STT_PORT", "9000")

    assert profile.machine_profile() == {k: v for k, v in profile.EMBEDDED_PROFILE.items() if k != "whisper_model"}


@pytest.mark.parametrize(
    ("devices", "device", "expected"),
    [
        (1, None, profile.GPU_PROFILE),
        (0, "cuda", {"whisper_model": "large-v3-turbo", "compute_type": "float16"}),
        (1, "cpu", {name: value for name, value in profile.EMBEDDED_PROFILE.items() if name != "device"}),
    ],
)
def test_with_cuda_or_when_it_is_asked_for_the_model_is_one_that_knows_portuguese(
    monkeypatch: pytest.MonkeyPatch, devices: int, device: str | None, expected: dict[str, object]
) -> None:
    """And the device that is asked for decides, whatever there is."""
    monkeypatch.setattr(profile, "cuda_devices", lambda: devices)
    if device:
        monkeypatch.setenv("STT_DEVICE", device)

    assert profile.machine_profile() == expected


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://App.example.com", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("https://app.example.com:80", "https://app.example.com:80"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("file://", "file://"),
        ("*", "*"),
    ],
)
def test_origins_are_kept_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch, written: str, origin: str) -> None:
    """In small letters, without the scheme's own port."""
    monkeypatch.setenv("STT_ALLOWED_ORIGINS", written)

    assert env.load().allowed_origins == [origin]


@pytest.mark.parametrize("origin", ["https://*.example.com", "app.example.com", "https://a.example/", "https://a b"])
def test_what_no_browser_sends_is_no_origin(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    """It would let nobody in, in silence."""
    monkeypatch.setenv("STT_ALLOWED_ORIGINS", origin)

    with pytest.raises(env.BadEnvironment, match="whole origins"):
        env.load()


def test_networks_are_written_with_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_FETCH_NETWORKS", "10.0.8.0/24, fd00::/8")

    assert list(map(str, env.load().fetch_networks)) == ["10.0.8.0/24", "fd00::/8"]


@pytest.mark.parametrize("network", ["10.0.8.1/24", "store.example", "10.0.8.0/33"])
def test_what_is_no_network_stops_the_start(monkeypatch: pytest.MonkeyPatch, network: str) -> None:
    monkeypatch.setenv("STT_FETCH_NETWORKS", network)

    with pytest.raises(env.BadEnvironment, match=r"STT_FETCH_NETWORKS.*network"):
        env.load()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DATABASE_URL", "", "expected sqlite:////path/to/file or postgres://"),
        ("DATABASE_URL", "db.sqlite3", "expected sqlite:////path/to/file or postgres://"),
        ("DATABASE_URL", "sqlite://", "expected sqlite:////path/to/file or postgres://"),
        ("DATABASE_URL", "postgres://stt:hunter2#x@db:5432/stt", "# is written %23"),
        ("SECRET_KEY", " ", "expected a long random string"),
        ("STT_STATUS_TOKEN", "hunter2 ção", "expected ASCII letters, digits and signs"),
        ("ALLOWED_HOSTS", "", "expected host names without a scheme or port"),
        ("ALLOWED_HOSTS", "https://stt.example.com", "expected host names without a scheme or port"),
        ("ALLOWED_HOSTS", "stt.example.com:8443", "expected host names without a scheme or port"),
        ("ALLOWED_HOSTS", "'stt.example.com'", "expected host names without a scheme or port"),
        ("STT_WEBHOOK_HOSTS", '"hooks.example.com"', "expected hosts such as hooks.example.com"),
        ("STT_WEBHOOK_HOSTS", "hooks.example.com/stt", "expected hosts such as hooks.example.com"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "expected an address such as http://collector:4318"),
        ("STT_CACHE_DIR", "", "at least 1 character"),
        ("STT_MAX_SESSIONS", "9" * 21, "less than or equal to 1000000"),
        ("STT_IDLE_TIMEOUT_S", "inf", "a finite number"),
        ("STT_MAX_ESTIMATED_SERVER_TOTAL_MS", "1e400", "a finite number"),
    ],
)
def test_what_would_fail_later_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    """With the setting's name; of what may hold a password the value is not shown."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(env.BadEnvironment) as bad:
        env.load()

    assert f"{variable}=" in str(bad.value)
    assert expected in str(bad.value)
    assert "hunter2" not in str(bad.value)


@pytest.mark.parametrize(
    ("variable", "field", "value"),
    [
        ("STT_HOST", "host", "127.0.0.1"),
        ("STT_STATUS_TOKEN", "status_token", "s3cret"),
        ("STT_REDIS_URL", "redis_url", "unix:///run/redis.sock?db=1"),
        ("DATABASE_URL", "database_url", "postgres://stt:p%23w@db:5432/stt?sslmode=require"),
    ],
)
def test_space_around_a_value_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, field: str, value: str
) -> None:
    """As files made on Windows, and secrets made with echo, have it."""
    monkeypatch.setenv(variable, f" {value}\r\n")

    assert getattr(env.load(), field) == value


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, encoding: str) -> None:
    """As editors on Windows write it."""
    (tmp_path / ".env").write_text("# configuração\nSTT_PORT=9001\n", encoding=encoding)

    with pytest.raises(env.BadEnvironment, match=r"\.env cannot be read .*: expected NAME=value a line, in UTF-8"):
        env.load()


def test_hosts_that_can_be_meant_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, addresses, whatever is under a name, and for webhooks with a scheme and a port."""
    monkeypatch.setenv("ALLOWED_HOSTS", "stt.example.com, .example.com,10.0.0.1,[fd00::1],web_1")
    hooks = [
        "hooks.example.com",
        "*.example.com",
        "http://crm.internal:8080",
        "https://[fd00::1]:8443",
        "http://web_1/",
    ]
    monkeypatch.setenv("STT_WEBHOOK_HOSTS", ",".join(hooks))

    assert env.load().allowed_hosts == ["stt.example.com", ".example.com", "10.0.0.1", "[fd00::1]", "web_1"]
    assert env.load().webhook_hosts == hooks


def test_a_relative_database_is_the_same_file_from_everywhere(tmp_path: Path) -> None:
    """Beside `manage.py`, as `.env` is."""
    show = "import sttproject.settings as s; print(s.DATABASES['default']['NAME'])"
    environment = bare_environment() | {"DATABASE_URL": "sqlite:///data/stt.sqlite3", "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-c", show]
    shown = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert shown.strip() == str(ROOT / "data" / "stt.sqlite3")

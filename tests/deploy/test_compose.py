"""docker-compose.yml is valid, pinned, free of secrets, and knows the settings the service knows. No Docker needed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}


def named_settings(*files: str) -> set[str]:
    return {name for file in files for name in re.findall(r"\bSTT_[A-Z_]+\b", (ROOT / file).read_text())}


def offered_settings() -> set[str]:
    """What .env.example gives a value, commented out or not."""
    return set(re.findall(r"^#?\s*(STT_[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_it_is_a_compose_file() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_every_setting_it_names_exists() -> None:
    assert named_settings("docker-compose.yml", "Dockerfile", "deploy/entrypoint.sh") - offered_settings() == set()


def test_every_setting_there_is_reaches_the_containers() -> None:
    assert offered_settings() - named_settings("docker-compose.yml", "Dockerfile") == set()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_secrets_come_from_outside_and_must_be_set(name: str) -> None:
    for variable, value in (SERVICES[name].get("environment") or {}).items():
        if value is None:
            continue  # passed on from outside, if it is set there
        if re.search("PASSWORD|SECRET|TOKEN|KEY", variable):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), variable
        for password in re.findall(r"://[^:@/\s]*:(.+)@", str(value)):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", password), variable


@pytest.mark.parametrize("name", sorted(set(SERVICES) - OURS))
def test_images_are_pinned(name: str) -> None:
    assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$", SERVICES[name]["image"])


def test_workers_get_no_database_and_no_secret_key() -> None:
    for name in ("worker", "worker-cpu"):
        assert not {"DATABASE_URL", "SECRET_KEY"} & SERVICES[name]["environment"].keys()


def test_each_service_runs_one_command_of_the_image() -> None:
    commands = {name: SERVICES[name]["command"] for name in OURS}
    assert commands.pop("worker-cpu") == ["worker"]
    assert commands == {name: [name] for name in ("migrate", "purge", "web", "worker")}


def test_audio_and_jobs_are_never_evicted_and_survive_a_restart() -> None:
    command = SERVICES["redis"]["command"]
    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes --appendfsync everysec" in command


def test_web_starts_after_what_it_needs() -> None:
    conditions = {name: needed["condition"] for name, needed in SERVICES["web"]["depends_on"].items()}
    assert conditions == {
        "redis": "service_healthy",
        "postgres": "service_healthy",
        "migrate": "service_completed_successfully",
    }


def test_only_the_web_port_is_published() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"web"}


def test_only_the_gpu_worker_asks_for_a_gpu() -> None:
    reserving = {name for name in SERVICES if "reservations" in SERVICES[name].get("deploy", {}).get("resources", {})}
    assert reserving == {"worker"}

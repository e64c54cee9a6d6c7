"""docker-compose.yml is valid, pinned, free of secrets, and knows the settings the service knows. No Docker needed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sttproject.env import Env

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
TLS = ROOT / "deploy" / "compose.tls.yml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
WORKERS = {"worker-gpu", "worker-gpu-1", "worker-cpu"}
OURS = {name for name, service in SERVICES.items() if "build" in service}


def named_settings(*files: str) -> set[str]:
    return {name for file in files for name in re.findall(r"\bSTT_[A-Z_]+\b", (ROOT / file).read_text())}


def offered_settings() -> set[str]:
    """What .env.example gives a value, commented out or not."""
    return set(re.findall(r"^#?\s*(STT_[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_they_are_compose_files() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE, TLS]
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
        if variable == "GF_SECURITY_ADMIN_PASSWORD":
            continue  # asked for by Grafana's own container: the next test
        if re.search("PASSWORD|SECRET|TOKEN|KEY", variable):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), variable
        for password in re.findall(r"://[^:@/\s]*:(.+)@", str(value)):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", password), variable


def test_grafana_asks_for_its_password_itself() -> None:
    """Compose would ask for it without the profile, too; an empty one would be Grafana's own, which all know."""
    grafana = SERVICES["grafana"]
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "${GRAFANA_PASSWORD:-}"
    command = [*grafana["entrypoint"], grafana["command"][0].replace("$$", "$").replace("/run.sh", "echo started")]
    without, given = (
        subprocess.run(
            command, env={"GF_SECURITY_ADMIN_PASSWORD": password}, capture_output=True, text=True, check=False
        )
        for password in ("", "s3cret")
    )
    assert without.returncode
    assert "set GRAFANA_PASSWORD in .env" in without.stderr
    assert (given.returncode, given.stdout) == (0, "started\n")


@pytest.mark.parametrize("name", sorted(set(SERVICES) - OURS))
def test_images_are_pinned(name: str) -> None:
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$", SERVICES[name]["image"])


def test_workers_get_no_database_and_no_secret_key() -> None:
    for name in WORKERS:
        assert not {"DATABASE_URL", "SECRET_KEY"} & SERVICES[name]["environment"].keys()


def test_each_service_runs_one_command_of_the_image() -> None:
    commands = {name: SERVICES[name]["command"] for name in OURS - WORKERS}
    assert commands == {
        "migrate": ["migrate"],
        "housekeeping": ["housekeeping"],
        "web": ["web", "--proxy-headers"],
        "webhooks": ["webhooks"],
    }
    assert all(SERVICES[name]["command"] == ["worker"] for name in WORKERS)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_is_root_or_writes_to_its_image(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert name in OURS or re.fullmatch(r"[1-9]\d*:\d+", service["user"])  # ours have USER in the image


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_comes_back_and_is_bounded(name: str) -> None:
    once = name == "migrate"
    assert SERVICES[name]["restart"] == ("no" if once else "unless-stopped")
    assert once or SERVICES[name]["deploy"]["resources"]["limits"]["memory"]
    assert name in OURS or SERVICES[name]["healthcheck"]["test"]  # ours have HEALTHCHECK in the image


def test_what_is_mounted_exists() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    for source in {mount.split(":")[0] for mount in mounts if mount.startswith("./")}:
        assert (ROOT / source).exists(), source


def test_web_processes_are_given_the_time_to_drain() -> None:
    """And ten seconds; nginx, its shutdown's."""
    (timeout,) = re.findall(r"worker_shutdown_timeout (\d+)s;", (ROOT / "deploy" / "nginx" / "nginx.conf").read_text())
    assert SERVICES["web"]["stop_grace_period"] == f"{Env.model_fields['drain_s'].default + 10:g}s"
    assert SERVICES["proxy"]["stop_grace_period"] == f"{int(timeout) + 10}s"


def test_voices_are_not_written_to_disk_and_never_evicted() -> None:
    lines = (ROOT / "deploy" / "redis" / "valkey.conf").read_text().splitlines()
    assert {'save ""', "appendonly no", "maxmemory-policy noeviction"} <= set(lines)
    mounts = SERVICES["redis"]["volumes"]
    assert mounts == ["./deploy/redis/valkey.conf:/etc/valkey/valkey.conf:ro"]


def test_web_starts_after_what_it_needs() -> None:
    conditions = {name: needed["condition"] for name, needed in SERVICES["web"]["depends_on"].items()}
    assert conditions == {
        "redis": "service_healthy",
        "postgres": "service_healthy",
        "migrate": "service_completed_successfully",
    }


def test_only_the_proxy_is_open_to_others() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.pop("proxy") == ["${STT_HOST:-0.0.0.0}:${STT_PORT:-8000}:8080"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_each_profile_has_its_services() -> None:
    profiles = {name: tuple(service.get("profiles", ())) for name, service in SERVICES.items()}
    assert {name: profile for name, profile in profiles.items() if profile} == {
        "worker-gpu": ("gpu",),
        "worker-gpu-1": ("gpu-1",),
        "worker-cpu": ("cpu",),
        "webhooks": ("webhooks",),
        "prometheus": ("monitoring",),
        "grafana": ("monitoring",),
    }


def test_only_gpu_workers_ask_for_a_gpu_and_each_uses_its_own() -> None:
    reserving = {name for name in SERVICES if "reservations" in SERVICES[name].get("deploy", {}).get("resources", {})}
    devices = {name: SERVICES[name]["environment"]["CUDA_VISIBLE_DEVICES"] for name in reserving}
    assert devices == {"worker-gpu": "0", "worker-gpu-1": "1"}

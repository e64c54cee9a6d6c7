"""deploy/k8s fits the schemas of the API and agrees with the images; kubectl builds it where there is one."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from sttproject.env import Env

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
KUSTOMIZATION = yaml.safe_load((K8S / "kustomization.yaml").read_text())
OBJECTS = [item for name in KUSTOMIZATION["resources"] for item in yaml.safe_load_all((K8S / name).read_text())]
CUSTOM = {"ScaledObject"}
"""KEDA's, of which the API has no schema."""
VERSION = "1.33"


def ident(item: dict[str, Any]) -> str:
    return f"{item['kind']}-{item['metadata']['name']}"


def pods() -> list[dict[str, Any]]:
    return [item["spec"]["template"]["spec"] for item in OBJECTS if "template" in item.get("spec", {})]


@pytest.mark.parametrize("item", [item for item in OBJECTS if item["kind"] not in CUSTOM], ids=ident)
def test_it_fits_the_schema(item: dict[str, Any]) -> None:
    """Strictly: a misspelt field is an error."""
    kubernetes_validate.validate(item, VERSION, strict=True)


def test_every_file_is_used() -> None:
    assert {path.name for path in K8S.glob("*.yaml")} == {*KUSTOMIZATION["resources"], "kustomization.yaml"}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="Debian 12 has it too old; the forge builds it")
def test_kustomize_builds_it(tmp_path: Path) -> None:
    """With the secrets an operator makes; names of generated maps, images and namespace are filled in everywhere."""
    shutil.copytree(K8S, tmp_path / "k8s")
    shutil.copy(K8S / "secrets.env.example", tmp_path / "k8s" / "secrets.env")
    command = ["kubectl", "kustomize", str(tmp_path / "k8s")]
    built = list(yaml.safe_load_all(subprocess.run(command, capture_output=True, check=True, text=True).stdout))

    assert len(built) == len(OBJECTS) + 2
    for item in built:
        assert item["kind"] == "Namespace" or item["metadata"]["namespace"] == "whisper-stt"
        if item["kind"] in {"Deployment", "Job"}:
            (container,) = item["spec"]["template"]["spec"]["containers"]
            assert container["image"].startswith("registry.example.com/")
            assert container["envFrom"][0]["configMapRef"]["name"].startswith("whisper-stt-")


@pytest.mark.parametrize("pod", pods(), ids=lambda pod: pod["containers"][0]["name"])
def test_no_pod_is_root_or_writes_to_its_image(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


def test_probes_are_the_health_pages() -> None:
    """And a web pod is given the time that its hook takes, then its drain, and ten seconds."""
    (web,) = (pod for pod in pods() if pod["containers"][0]["name"] == "web")
    (container,) = web["containers"]
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    drain = container["lifecycle"]["preStop"]["exec"]["command"]

    assert paths == {"startup": "/health/startup", "readiness": "/health/ready", "liveness": "/health/live"}
    assert web["terminationGracePeriodSeconds"] == int(drain[-1]) + Env.model_fields["drain_s"].default + 10


def test_a_worker_gets_neither_database_nor_secret_key() -> None:
    (worker,) = (pod["containers"][0] for pod in pods() if pod["containers"][0]["name"] == "worker")
    assert worker["envFrom"] == [{"configMapRef": {"name": "whisper-stt"}}]
    assert [variable["name"] for variable in worker["env"]] == ["STT_REDIS_URL"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_scalers_name_what_there_is() -> None:
    """The deployments they scale exist, and so do the pods of the disruption budgets."""
    deployments = {item["metadata"]["name"] for item in OBJECTS if item["kind"] == "Deployment"}
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in OBJECTS if "scaleTargetRef" in item.get("spec", {})}
    assert scaled == deployments - {"webhooks", "housekeeping"} == {"web", "worker"}
    for item in OBJECTS:
        if item["kind"] == "PodDisruptionBudget":
            assert item["spec"]["selector"]["matchLabels"]["app"] in deployments


def test_workers_share_one_cache_of_models() -> None:
    """Else each pod that a scaler adds fetches its own."""
    (worker,) = (pod for pod in pods() if pod["containers"][0]["name"] == "worker")
    (volume,) = (volume for volume in worker["volumes"] if volume["name"] == "models")
    (claim,) = (item for item in OBJECTS if item["kind"] == "PersistentVolumeClaim")

    assert volume["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert {"name": "models", "mountPath": "/models"} in worker["containers"][0]["volumeMounts"]

"""What stands between a tag and its publication; and what the workflows may not do."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHECK = ROOT / "deploy/release_check.py"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").iterdir()}
PLACES = [
    "transcription/views.py", "clients/python/pyproject.toml", "clients/livekit_plugin/version.py",
    "deploy/k8s/kustomization.yaml", "CHANGELOG.md", "SECURITY.md",
]  # fmt: skip


def checked(tag: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What the release's first job says of a tag."""
    command = [sys.executable, root / "deploy/release_check.py", tag]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """The places that name the version, as they are when 2.0.0 may be published."""
    for name in [*PLACES, "deploy/release_check.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
        if name in PLACES[:4]:
            text = (tmp_path / name).read_text()
            (tmp_path / name).write_text(re.sub(r"\d+\.\d+\.\d+(?=\"?$)", "2.0.0", text, flags=re.MULTILINE))
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## Unreleased", "## Unreleased\n\n## 2.0.0 (2027-01-01)", 1))
    contact = tmp_path / "SECURITY.md"
    contact.write_text(
        re.sub(r"\*\*to be filled in by .*?\*\*", "security@example.com", contact.read_text(), flags=re.DOTALL)
    )
    return tmp_path


def test_a_release_that_is_ready_passes(released: Path) -> None:
    done = checked("v2.0.0", released)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", PLACES)
def test_each_place_is_looked_at(released: Path, name: str) -> None:
    """What has been forgotten is named."""
    shutil.copy(ROOT / name, released / name)
    done = checked("v2.0.0", released)
    assert done.returncode == 1
    assert done.stderr.startswith(name)


def test_a_tag_that_is_no_version_is_refused() -> None:
    assert "expected v1.2.3" in checked("2.0").stderr


def test_there_is_one_version() -> None:
    """Of service, clients and images; the changelog has it once it is published."""
    named = checked("v0.0.0").stderr
    assert len(set(re.findall(r"^(?!CHANGELOG)\S+ names (\S+), not", named, re.MULTILINE))) == 1


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_a_workflow_uses_is_pinned_and_may_do_little(name: str) -> None:
    """By commit; nothing may write unless its job says so, and only a release's."""
    workflow = WORKFLOWS[name]
    steps = [step for job in workflow["jobs"].values() for step in job.get("steps", [])]
    used = [step["uses"] for step in steps if "uses" in step]

    assert workflow["permissions"] == {"contents": "read"}
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one) for one in used)
    assert name != "tests.yml" or not any("permissions" in job for job in workflow["jobs"].values())
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads the key `on` so


def test_nothing_is_published_untested() -> None:
    jobs = WORKFLOWS["release.yml"]["jobs"]
    assert "tests" in jobs["publish"]["needs"] and jobs["images"]["needs"] == "tests"
    assert jobs["tests"]["needs"] == "ready" and jobs["tests"]["uses"].endswith("/tests.yml")


def test_images_are_those_of_the_dockerfile() -> None:
    """For both architectures, with a bill of materials, and signed."""
    images = WORKFLOWS["release.yml"]["jobs"]["images"]
    (build,) = (step["with"] for step in images["steps"] if step.get("id") == "build")
    targets = set(re.findall(r"^FROM decoding AS (\S+)|^FROM python AS (web)", (ROOT / "Dockerfile").read_text(), re.M))

    assert set(images["strategy"]["matrix"]["target"]) == {one or other for one, other in targets}
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert build["sbom"] is True
    assert images["steps"][-1]["run"].startswith("cosign sign")

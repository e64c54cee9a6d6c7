"""The documentation says what the code does: every setting, message, code and metric, and nothing that is gone."""

import re
from pathlib import Path

import msgspec
import pytest
from prometheus_client.metrics import MetricWrapperBase

from docs import generate
from sttproject import env
from transcription import metrics as web_metrics
from transcription.core import metadata, protocol
from transcription.core.protocol import CloseCode, EndReason, ErrorCode
from workers import metrics as worker_metrics

ROOT = Path(__file__).parents[2]
PROTOCOL, CONFIGURATION, METRICS, ARCHITECTURE = (
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("protocol", "configuration", "metrics", "architecture")
)
EXAMPLES = msgspec.json.decode(generate.EXAMPLES.read_bytes())
VARIABLES = {env.variable(field): field for field in env.Env.model_fields}
COMPOSE_ONLY = {
    "POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD", "COMPOSE_PROFILES", "WEB_REPLICAS", "TLS_DIR",
}  # fmt: skip

CLIENT, SERVER = protocol.ClientMessage.__args__, protocol.ServerMessage.__args__
STRUCTS = {struct.__struct_config__.tag: struct for struct in (*CLIENT, *SERVER)}
STRUCTS |= {"config": protocol.StartConfig, "words": protocol.Word, "timing": protocol.Timing}
STRUCTS |= {"metadata": metadata.Metadata}
STRUCTS |= {"entities": protocol.Entity, "dropped": protocol.Dropped}
COLLECTORS = [
    metric
    for module in (web_metrics, worker_metrics)
    for metric in vars(module).values()
    if isinstance(metric, MetricWrapperBase)
]


def section(title: str) -> str:
    """What protocol.md says under a `### title`."""
    (found,) = re.findall(rf"^### `{title}`\n(.*?)(?=^##|\Z)", PROTOCOL, re.MULTILINE | re.DOTALL)
    return found


def exposed(metric: MetricWrapperBase) -> str:
    """The name under which Prometheus sees a metric."""
    return metric._name + ("_total" if metric._type == "counter" else "")


def test_generated_parts_are_up_to_date() -> None:
    """`make docs` would change nothing but the recorded examples."""
    for path, text in generate.documents().items():
        assert path.read_text() == text, f"{path.name}: run python -m docs.generate"


def test_every_setting_is_in_the_table_with_its_default() -> None:
    """And no other."""
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", CONFIGURATION, re.MULTILINE))

    assert rows == {
        name: f"`{value}`" if (value := generate.default(field)) else "not set" for name, field in VARIABLES.items()
    }


def test_reliability_names_tests_and_metrics_that_exist() -> None:
    """Each bound is reached by a test, and seen."""
    text = (ROOT / "docs/reliability.md").read_text()
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert set(re.findall(r"`(test_\w+)`", text)) <= set(re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE))
    assert set(re.findall(r"`(stt_\w+)`", text)) <= set(re.findall(r"^\| `(stt_\w+)`", METRICS, re.MULTILINE))


def test_every_setting_is_in_the_example_environment_with_its_default() -> None:
    """Commented out, so that a copy changes nothing."""
    lines = re.findall(r"^(# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    offered = {name: value for _, name, value in lines}

    assert all(comment for comment, _, _ in lines)
    assert len(offered) == len(lines)
    assert {name: offered.get(name) for name in VARIABLES} == {n: generate.default(f) for n, f in VARIABLES.items()}
    assert offered.keys() - VARIABLES.keys() == COMPOSE_ONLY


@pytest.mark.parametrize("page", sorted(path.name for path in generate.DOCS.glob("*.md")))
def test_no_page_names_a_setting_that_does_not_exist(page: str) -> None:
    """Stale and misspelt names."""
    named = set(re.findall(r"\bSTT_[A-Z_]+\b", (generate.DOCS / page).read_text()))

    assert named - VARIABLES.keys() - env.CLIENT_VARIABLES == set()


def test_every_check_is_documented() -> None:
    """By its id."""
    ids = re.findall(r"stt\.[WE]\d+", (ROOT / "sttproject" / "checks.py").read_text())

    assert set(re.findall(r"^\| `(stt\.[WE]\d+)`", CONFIGURATION, re.MULTILINE)) == set(ids)


@pytest.mark.parametrize("title", sorted(STRUCTS))
def test_every_message_has_a_section_with_its_fields(title: str) -> None:
    """A row a field, and no row for a field that is gone."""
    rows = re.findall(r"^\| `([a-z_]+)`", section(title), re.MULTILINE)

    assert rows == [field.encode_name for field in msgspec.structs.fields(STRUCTS[title])]


def test_every_section_of_a_message_is_of_one_that_exists() -> None:
    """Stale names."""
    assert sorted(re.findall(r"^### `([a-z_]+)`", PROTOCOL, re.MULTILINE)) == sorted(STRUCTS)


def test_every_code_and_reason_is_documented() -> None:
    """Error codes and close codes in their tables, reasons where `reason` is explained."""
    close_codes = re.findall(r"^\| (\d{4}) \|", PROTOCOL, re.MULTILINE)

    assert list(dict.fromkeys(re.findall(r"^\| `([A-Z_]+)`", section("error"), re.MULTILINE))) == list(ErrorCode)
    assert set(close_codes) == {str(code.value) for code in CloseCode}
    assert all(f"`{reason}`" in section("session_ended") for reason in EndReason)


def test_the_examples_of_the_server_are_its_messages() -> None:
    """Each decodes as its class and encodes to the same again: all fields, no others."""
    for name, example in EXAMPLES["server"].items():
        message = msgspec.convert(example, protocol.ServerMessage)
        assert msgspec.json.decode(protocol.encode(message)) == example, name


def test_the_examples_of_the_client_are_read() -> None:
    """By the server's own decoder."""
    for example in EXAMPLES["client"].values():
        protocol.decode(msgspec.json.encode(example).decode())


def test_there_is_an_example_of_everything() -> None:
    """Every type of message, every error, both states of speech."""
    server = EXAMPLES["server"].values()
    seen = {example["type"] for group in ("client", "server") for example in EXAMPLES[group].values()}

    assert seen == {struct.__struct_config__.tag for struct in (*CLIENT, *SERVER)}
    assert {example["code"] for example in server if "code" in example} == set(ErrorCode)
    assert {example["state"] for example in server if "state" in example} == {"speech_start", "speech_end"}


def test_every_example_of_the_page_is_a_recorded_one() -> None:
    """Read back from protocol.md."""
    shown = re.findall(r"<!-- example: (.+?) -->\n```json\n(.*?)\n```\n<!-- /example -->", PROTOCOL, re.DOTALL)
    recorded = {name: example for group in EXAMPLES.values() for name, example in group.items()}

    assert PROTOCOL.count("```json") == len(shown)
    assert {name: msgspec.json.decode(text) for name, text in shown} == recorded


def test_every_metric_is_documented() -> None:
    """Those made at scrape time too; and none that does not exist."""
    rooms = ("transcription", "transcription/cluster", "transcription/webhooks", "workers")
    sources = [source for room in rooms for source in (f"{room}/metrics.py", f"{room}/collector.py")]
    texts = [(ROOT / source).read_text() for source in sources if (ROOT / source).exists()]
    made = {name for text in texts for name in re.findall(r'"(stt_\w+)"', text)}
    named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bstt_\w+", METRICS)}

    assert {exposed(metric) for metric in COLLECTORS} <= made
    assert named == made
    assert set(re.findall(r"^\| `(stt_\w+)`", METRICS, re.MULTILINE)) == made


@pytest.mark.parametrize("metric", COLLECTORS, ids=exposed)
def test_every_metric_has_its_type_and_labels(metric: MetricWrapperBase) -> None:
    """As its row says."""
    ((kind, labels),) = re.findall(rf"^\| `{exposed(metric)}` \| (\w+) \| (.*?) ?\|", METRICS, re.MULTILINE)

    assert kind == metric._type
    assert re.findall(r"`(\w+)`", labels) == list(metric._labelnames)


def test_the_map_of_rooms_is_whole() -> None:
    """Every folder with modules is named, and every folder that is named exists."""
    parents = {
        path.parent.relative_to(ROOT)
        for package in ("sttproject", "launcher", "transcription", "workers", "harness", "benchmarks", "reliability")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    rooms = {f"{parent}/" for parent in parents if not {"migrations", "management", "commands"} & {*parent.parts}}
    named = set(re.findall(r"`([\w/]+/)`", ARCHITECTURE.partition("## Rooms")[2]))

    assert named == rooms | {"clients/"}

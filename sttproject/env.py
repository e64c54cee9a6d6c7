"""The only reader of the environment: every setting with its name, type, default and meaning.

`.env` beside `manage.py` is read too; the environment wins. A bad value stops the start with all bad ones named
at once. `docs/configuration.md` and `.env.example` are held to this file by a test.
"""

import difflib
import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, AliasChoices, Field, IPvAnyNetwork, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sttproject import redis_server, values
from transcription.core.config import Limits, SessionConfig, VadConfig
from transcription.core.contract.keyspace import MAX_RESUME_WINDOW_S
from transcription.core.protocol import (
    LEAST_SILENCE_MS,
    MOST_SILENCE_MS,
    RedactType,
    TextFormat,
    TurnMode,
)

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"

ComputeType = Literal[
    "default", "auto", "int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16",
    "float32",
]  # fmt: skip

LISTS = (
    "allowed_hosts",
    "allowed_origins",
    "fetch_networks",
    "languages",
    "redact",
    "webhook_hosts",
    "webhook_networks",
)
"""Fields that are comma-separated in the environment."""

INSECURE_SECRET_KEY = "insecure-development-key"  # noqa: S105 - named for what it is, refused by `check --deploy`


def _plain(name: str, default: Any, description: str) -> Any:
    """A setting whose variable has no STT_ prefix."""
    return Field(default, validation_alias=AliasChoices(name), description=description)


class Env(BaseSettings):
    """The service's settings. A field `x` is the variable `STT_X` unless its alias says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="STT_", env_file=ENV_FILE, env_file_encoding="utf-8", extra="ignore", populate_by_name=True,
        str_strip_whitespace=True, allow_inf_nan=False,
    )  # fmt: skip

    host: str = Field("0.0.0.0", description="Host to bind to")  # noqa: S104 - the contract's default
    port: int = Field(8000, ge=1, le=65535, description="Port to bind to")
    max_sessions: int = Field(100, ge=1, le=1_000_000, description="Maximum concurrent sessions, cluster-wide")
    whisper_model: str = Field(
        "distil-large-v3",
        min_length=1,
        description="Whisper model: a name, a CTranslate2 repo id or a directory. "
        "The default is English-only; for Portuguese use `large-v3-turbo`",
    )
    compute_type: ComputeType = Field("float16", description="Compute type (`float16`, `int8_float16`, `int8`, …)")
    device: Literal["cuda", "cpu"] = Field("cuda", description="Device (`cuda`, `cpu`)")
    language: Annotated[str, AfterValidator(values.language)] = Field("pt", description="Default language code")
    languages: Annotated[list[str], NoDecode, AfterValidator(values.languages)] = Field(
        ["pt", "es", "en"],
        description="Languages that one which is to be found out (`auto`) may be, comma-separated, unless the client "
        "names others",
    )
    vad_enabled: bool = Field(True, description="Enable VAD")
    vad_threshold: float = Field(0.5, ge=0.0, le=1.0, description="VAD threshold (0.0-1.0)")
    vad_min_speech_ms: int = Field(250, ge=0, le=10_000, description="Min speech duration (ms)")
    vad_min_silence_ms: int = Field(
        500, ge=LEAST_SILENCE_MS, le=MOST_SILENCE_MS, description="Min silence for end-of-speech (ms)"
    )
    partial_interval_ms: int = Field(300, ge=50, le=60_000, description="Partial transcript interval (ms)")
    max_partial_window_s: float = Field(8.0, ge=1.0, le=30.0, description="Max audio window for partials (s)")
    max_utterance_s: float = Field(30.0, ge=1.0, le=120.0, description="Max utterance duration (s)")
    max_buffer_ms: int = Field(
        5_000,
        ge=200,
        le=600_000,
        description="Max audio buffer per session (ms): accepted, not yet in Redis; a client with more is not read",
    )
    max_queue_depth: int = Field(20, ge=1, description="Max queue depth: jobs waiting and running, cluster-wide")
    max_estimated_server_total_ms: float = Field(500.0, gt=0, description="Max estimated latency (ms)")
    log_format: Literal["text", "json"] = Field(
        "text",
        description="Lines of the log: `text`, or `json`, an object a line ([operations.md](operations.md#logs))",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field("INFO", description="Logging level")

    redis_url: Annotated[str, AfterValidator(values.redis_url)] = Field(
        "redis://127.0.0.1:6379/0",
        description="Redis or Valkey of the whole cluster, or its sentinels ([scaling.md](scaling.md#sentinel)); "
        "unset, `manage.py stt` starts an embedded one",
    )
    beam_size: int = Field(5, ge=1, le=20, description="Beam size of finals (partials use 1)")
    model_dir: str | None = Field(None, description="Directory that holds models as `<name>/`")
    cache_dir: str = Field("~/.cache/whisper-stt", min_length=1, description="Where the embedded model is joined")
    engine: Literal["whisper", "echo"] = Field("whisper", description="`echo` decodes nothing: for tests and load")
    echo_decode_ms: float = Field(0.0, ge=0, description="How long the echo engine pretends to decode (ms)")
    echo_pace: str | None = Field(
        None,
        description="File with the pace of a card, which the echo engine then keeps instead: a simulated GPU worker "
        "([scaling.md](scaling.md#a-card-that-is-not-there))",
    )
    worker_threads: int = Field(16, ge=1, le=64, description="Task threads of a worker")
    cpu_threads: int = Field(1, ge=1, le=64, description="Threads a batch may use on a CPU")
    lanes: int = Field(
        0, ge=0, le=64, description="Batches a worker decodes at a time (0: one a core on a CPU, one on a GPU)"
    )
    max_batch: int = Field(0, ge=0, le=256, description="Most jobs decoded together (0: 8 on a CPU, 16 on a GPU)")
    min_final_window_s: int = Field(
        20,
        ge=10,
        le=30,
        description="Shortest window that a final of more than a word or two is decoded in (s): 10, 15, 20, or 30, "
        "which Whisper was trained on",
    )
    pre_roll_ms: int = Field(300, ge=0, le=2_000, description="Audio kept from before speech starts (ms)")
    speculate_ms: int = Field(
        150, ge=0, le=5_000, description="Silence after which the final is decoded ahead of the endpoint (ms; 0: never)"
    )
    piece_ms: int = Field(
        8_000,
        ge=0,
        le=600_000,
        description="How long what was decoded ahead is at least to be kept, and not decoded again, where speech goes "
        "on after it (ms; 0: nothing is)",
    )
    turn_mode: TurnMode = Field(
        "fixed",
        description="What ends an utterance, unless the client says otherwise: `fixed` silence, or silence and what "
        "was said (`auto`, `dictation`, `short`; [turns.md](turns.md))",
    )
    min_silence_early_ms: int = Field(
        300,
        ge=LEAST_SILENCE_MS,
        le=MOST_SILENCE_MS,
        description="Silence that ends an utterance which is complete (ms), if the turn mode is not `fixed`",
    )
    max_hold_ms: int = Field(
        2_500,
        ge=0,
        le=MOST_SILENCE_MS,
        description="Silence that ends an utterance of which something is missing (ms), "
        "if the turn mode is not `fixed`",
    )
    turn_model: str = Field(
        "",
        description="Model that workers judge by how it was said whether a turn is over, besides what was said, if the "
        "turn mode is not `fixed`: `smart-turn`, or the path of its ONNX file; empty: none "
        "([turns.md](turns.md#smart-turn))",
    )
    word_timestamps: bool = Field(True, description="Word times in finals, unless the client says otherwise")
    format: TextFormat = Field(
        "off",
        description="Formatted text and entities in finals of Portuguese sessions, unless the client says otherwise "
        "([text.md](text.md))",
    )
    redact: Annotated[list[RedactType], NoDecode] = Field(
        [],
        description="Kept out of every session's transcripts and records, besides what a client asks for: some of "
        "`cpf`, `card`, `phone`, `email`, comma-separated ([text.md](text.md#redaction))",
    )
    partial_results: bool = Field(True, description="Partial transcripts, unless the client says otherwise")
    max_frame_bytes: int = Field(131_072, ge=2_048, le=1_048_576, description="Longest WebSocket frame (bytes)")
    max_audio_gap_ms: int = Field(
        900,
        ge=0,
        le=60_000,
        description="An utterance whose client sends no more audio ends after so much silence, what did not come "
        "counted in (ms; 0: only audio ends it)",
    )
    max_pending_finals: int = Field(8, ge=1, description="A client that is owed so many finals is not read from")
    max_connections: int = Field(
        0, ge=0, description="Most WebSocket connections of a web process (0: 64 and four times `STT_MAX_SESSIONS`)"
    )
    max_unsent_bytes: int = Field(
        1_048_576, ge=65_536, description="Most outgoing data held for a client that does not read (bytes)"
    )
    max_upload_mb: int = Field(100, ge=1, le=4_096, description="Longest recording that may be uploaded (MB)")
    max_upload_s: int = Field(7_200, ge=1, le=86_400, description="Longest recording that may be uploaded (s of audio)")
    upload_memory_mb: int = Field(
        256, ge=1, description="Most that a web process holds of uploads not yet decoded (MB); more are refused"
    )
    fetch_urls: bool = Field(
        False, description="Fetch recordings from addresses that Deepgram's clients name; never from private ones"
    )
    fetch_networks: Annotated[list[IPvAnyNetwork], NoDecode] = Field(
        [],
        description="Private networks that recordings may be fetched from all the same, comma-separated: "
        "`10.0.8.0/24` of a store of one's own",
    )
    drain_s: float = Field(30.0, ge=0, description="Sessions may finish when a web process is stopped, for (s)")
    start_timeout_s: float = Field(30.0, gt=0, description="A connection must start a session within (s)")
    idle_timeout_s: float = Field(300.0, gt=0, description="A session that sends nothing is ended after (s)")
    resume_window_s: float = Field(
        30.0,
        ge=0,
        le=MAX_RESUME_WINDOW_S,
        description="A client that lost its connection may resume its session for (s; 0: never)",
    )
    decode_timeout_s: float = Field(
        60.0, gt=0, description="A worker that decodes one batch for longer exits, for another to be started (s)"
    )
    result_timeout_s: float = Field(
        20.0,
        gt=0,
        description="A final that is not answered within this time is sent again (s; waiting in the queue not counted)",
    )
    max_final_wait_s: float = Field(
        120.0, gt=0, le=240, description="A final not answered is given up, and the client told, after (s)"
    )

    auth: Literal["off", "required"] = Field("off", description="Whether clients need an API key")
    auth_query_token: bool = Field(False, description="Take keys from `?token=` too; proxies log URLs")
    allowed_origins: Annotated[list[str], NoDecode, AfterValidator(values.origins)] = Field(
        [],
        description="Origins of web pages that may connect besides the service's own host, comma-separated, or `*`; "
        "of apps also `file://` and `null`",
    )
    path_prefix: Annotated[str, AfterValidator(values.path_prefix)] = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path that the service is under on a shared host, such as `/stt`; empty: what the proxy says in "
        "`X-Forwarded-Prefix`, else none",
    )
    status_token: Annotated[str, AfterValidator(values.token)] = Field(
        "", description="Token that `/metrics` and `/health/status` want; empty: open"
    )
    https: bool = Field(False, description="A proxy in front does TLS: cookies are secure, HSTS is sent")
    store_transcripts: bool = Field(True, description="Keep text and words in the audit records")
    retention_days: int = Field(0, ge=0, le=36_500, description="Audit records older are purged (days; 0: kept)")

    webhook_hosts: Annotated[list[str], NoDecode, AfterValidator(values.webhook_hosts)] = Field(
        [],
        description="Hosts that webhooks may be at, comma-separated: `hooks.example.com` (HTTPS), `*.example.com`, "
        "`http://crm.internal:8080`; empty: none ([webhooks.md](webhooks.md))",
    )
    webhook_networks: Annotated[list[IPvAnyNetwork], NoDecode] = Field(
        [], description="Private networks that webhooks may be in all the same, comma-separated: `10.0.8.0/24`"
    )
    webhook_window_s: float = Field(
        86_400.0, ge=0, le=2_592_000, description="An event that its webhook does not take is sent again for (s)"
    )

    otlp_endpoint: Annotated[str, AfterValidator(values.web_address)] = _plain(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "Where traces go (OTLP over HTTP), such as `http://collector:4318`; empty: nowhere "
        "([operations.md](operations.md#traces))",
    )
    database_url: Annotated[str, AfterValidator(values.database_url)] = _plain(
        "DATABASE_URL", "sqlite:///db.sqlite3", "Database of the audit records"
    )
    secret_key: Annotated[str, AfterValidator(values.secret_key)] = _plain(
        "SECRET_KEY", INSECURE_SECRET_KEY, "Django's secret key; set it in production"
    )
    debug: bool = _plain("DEBUG", False, "Django's debug pages; never in production")
    allowed_hosts: Annotated[list[str], NoDecode, AfterValidator(values.allowed_hosts)] = _plain(
        "ALLOWED_HOSTS", ["*"], "Host names the HTTP pages answer to, comma-separated"
    )

    language_code: Literal["en", "pt-br"] = _plain(
        "LANGUAGE_CODE",
        "en",
        "Language of the admin for browsers that ask for neither English nor Portuguese, and of what its log keeps",
    )
    time_zone: Annotated[str, AfterValidator(values.time_zone)] = _plain(
        "TIME_ZONE", "UTC", "Time zone of the admin's times and of the log: `America/Sao_Paulo`"
    )

    @field_validator(*LISTS, mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("language_code", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def redis(self) -> redis_server.OneServer | redis_server.Sentinels:
        """Who gives clients of the cluster's Redis."""
        return redis_server.at(self.redis_url)

    @property
    def session(self) -> SessionConfig:
        """A session's options where its client asks for nothing else."""
        return SessionConfig(
            language=self.language,
            languages=tuple(self.languages),
            partial_results=self.partial_results,
            word_timestamps=self.word_timestamps,
            format=self.format,
            redact=tuple(self.redact),
            vad=VadConfig(
                enabled=self.vad_enabled,
                threshold=self.vad_threshold,
                min_speech_ms=self.vad_min_speech_ms,
                min_silence_ms=self.vad_min_silence_ms,
                pre_roll_ms=self.pre_roll_ms,
                speculate_ms=self.speculate_ms,
                piece_ms=self.piece_ms,
                turn_mode=self.turn_mode,
                min_silence_early_ms=self.min_silence_early_ms,
                max_hold_ms=self.max_hold_ms,
            ),
            partial_interval_ms=self.partial_interval_ms,
            max_partial_window_s=self.max_partial_window_s,
            max_utterance_s=self.max_utterance_s,
            max_audio_gap_ms=self.max_audio_gap_ms,
            max_buffer_ms=self.max_buffer_ms,
            max_pending_finals=self.max_pending_finals,
            max_frame_bytes=self.max_frame_bytes,
            beam_size=self.beam_size,
            start_timeout_s=self.start_timeout_s,
            idle_timeout_s=self.idle_timeout_s,
            resume_window_s=self.resume_window_s,
            result_timeout_s=self.result_timeout_s,
            max_final_wait_s=self.max_final_wait_s,
        )

    @property
    def limits(self) -> Limits:
        """The limits of the whole cluster that admission goes by."""
        return Limits(
            max_sessions=self.max_sessions,
            max_queue_depth=self.max_queue_depth,
            max_estimated_server_total_ms=self.max_estimated_server_total_ms,
        )


class BadEnvironment(SystemExit):
    """What cannot be used: variables, each named with its value and what is allowed, or the file they are in."""


def variable(field: str) -> str:
    """The environment variable of a field."""
    alias = Env.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"STT_{field.upper()}"


@cache
def variables() -> dict[str, str]:
    """Every variable, with its field."""
    return {variable(field): field for field in Env.model_fields}


def load(**overrides: Any) -> Env:
    """Read the environment, with `overrides` (by field) over it. Raises `BadEnvironment`."""
    try:
        return Env(**overrides)
    except ValidationError as error:
        lines = [_describe(problem) for problem in error.errors()]
        raise BadEnvironment("Bad configuration:\n" + "\n".join(f"  {line}" for line in lines)) from None
    except (UnicodeError, OSError) as error:
        raise BadEnvironment(f"{ENV_FILE} cannot be read ({error}): expected NAME=value a line, in UTF-8") from None


def is_set(field: str) -> bool:
    """Whether a setting is given, in the environment or in `.env`."""
    return field in Env().model_fields_set


CLIENT_VARIABLES = frozenset({"STT_API_KEY", "STT_URL"})
"""What clients read, and the service does not."""


def misspelt() -> list[tuple[str, str | None]]:
    """`STT_` variables in the environment or `.env` that nothing reads, each with the name probably meant."""
    given = {*os.environ, *dotenv_values(ENV_FILE)}
    known = CLIENT_VARIABLES.union(variables())
    unknown = sorted(name for name in given if name.startswith("STT_") and name not in known)
    return [(name, next(iter(difflib.get_close_matches(name, variables(), 1)), None)) for name in unknown]


def _describe(problem: Any) -> str:
    name = str(problem["loc"][0])
    field = variables().get(name, name)
    shown = "***" if field in {"secret_key", "database_url", "redis_url", "status_token"} else repr(problem["input"])
    return f"{variable(field)}={shown}: {problem['msg'].removeprefix('Value error, ')}"

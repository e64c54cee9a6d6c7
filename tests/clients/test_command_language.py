"""The command line in Portuguese: by the environment, as gettext reads it; English for everybody else."""

from pathlib import Path

import pytest
import whisper_stt
from commands import command
from whisper_stt.session.words import _

NOWHERE = "ws://127.0.0.1:9/ws/stt"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"LANGUAGE": "pt_BR"}, "ninguém escuta lá"),
        ({"LANGUAGE": "pt_BR:en"}, "ninguém escuta lá"),
        ({"LANGUAGE": "", "LC_ALL": "pt_BR.UTF-8"}, "ninguém escuta lá"),
        ({"LANGUAGE": "", "LC_ALL": "", "LC_MESSAGES": "", "LANG": "pt_PT.UTF-8"}, "ninguém escuta lá"),
        ({"LANGUAGE": "en:pt_BR"}, "nothing listens there"),
        ({"LANGUAGE": "", "LC_ALL": "en_US.UTF-8", "LANG": "pt_BR.UTF-8"}, "nothing listens there"),
        ({"LANGUAGE": "", "LC_ALL": "C.UTF-8", "LANG": "pt_BR.UTF-8"}, "nothing listens there"),
        ({"LANGUAGE": "de"}, "nothing listens there"),
    ],
)
def test_the_environment_chooses_the_language(environment: dict[str, str], told: str) -> None:
    """The first variable that is set, and its first language."""
    done = command("status", "--url", NOWHERE, env=environment)

    assert (done.returncode, done.stdout) == (3, "")
    assert told in done.stderr


@pytest.mark.parametrize("asked", [(), ("transcribe",), ("mic",), ("status",), ("load",)])
def test_help_is_portuguese_throughout(asked: tuple[str, ...]) -> None:
    """Python's own words for it as well."""
    help_ = command(*asked, "--help", env={"LANGUAGE": "pt_BR"}).stdout

    assert "uso: whisper-stt" in help_ and "opções:" in help_ and "códigos de saída:" in help_
    for english in ("usage", "options:", "show ", "default", " the ", " and ", "exit codes"):
        assert english not in help_


def test_what_was_typed_wrong_is_said_in_portuguese(tmp_path: Path) -> None:
    """By argparse and by ourselves; codes are those of English."""
    empty = tmp_path / "vazio.wav"
    empty.touch()
    said = [
        command(*typed, env={"LANGUAGE": "pt_BR"})
        for typed in (("transcribe",), ("transcribe", "--vad-threshold", "2", "a.wav"), ("transcribe", empty))
    ]

    assert [done.returncode for done in said] == [2, 2, 4]
    assert "erro: estes argumentos são obrigatórios: FILE" in said[0].stderr
    assert "argumento --vad-threshold: esperado um número de 0 a 1, recebido 2" in said[1].stderr
    assert "está vazio" in said[2].stderr


def test_the_library_speaks_english_to_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment: its messages go to logs. Only the command binds the catalogue."""
    monkeypatch.setenv("LANGUAGE", "pt_BR")

    assert _("no answer in time") == "no answer in time"
    with pytest.raises(whisper_stt.OptionError, match="has another scheme: expected ws://"):
        whisper_stt.connect("ftp://localhost")

"""What a final's text is worth without the audio."""

import pytest

from workers.engines.evidence import ENOUGH, ENOUGH_OF_A_HABIT, is_enough


@pytest.mark.parametrize(
    "text", ["Não.", "Sim, sim.", "É.", "Obrigado.", "Tchau!", "A B C", "11", "Legendas em português"]
)
def test_an_answer_needs_little(text: str) -> None:
    assert is_enough(text, ENOUGH)
    assert not is_enough(text, ENOUGH - 0.01)


@pytest.mark.parametrize(
    "text", ["O que é isso?", "Ah, ah, ah!", "AAAAA!", "Legendas pela comunidade Amara.org", "E aí?"]
)
def test_what_whisper_writes_by_habit_needs_more_but_can_be_said(text: str) -> None:
    """People do say these."""
    assert not is_enough(text, ENOUGH)
    assert is_enough(text, ENOUGH_OF_A_HABIT)

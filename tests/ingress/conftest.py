"""What tests of the web process share."""

import pytest

from tests.ingress.place import Place
from transcription.ingress import consumers


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place()
    monkeypatch.setattr(consumers, "get_channel_layer", lambda: place.layer)
    return place

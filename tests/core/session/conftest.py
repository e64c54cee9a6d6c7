"""A conversation under way."""

import pytest

from tests.core.session.fakes import Talk


@pytest.fixture
def talk() -> Talk:
    """A session that has been started, with its client and its workers."""
    talk = Talk()
    talk.start()
    return talk

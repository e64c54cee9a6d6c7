"""The decoder of client messages, given anything."""

import msgspec
from hypothesis import HealthCheck, given, settings

from tests.fuzz.inputs import INPUTS, texts
from transcription.core import protocol

LONGEST_COMPLAINT = 1_000


@settings(max_examples=INPUTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(texts)
def test_any_text_is_a_message_or_a_complaint(text: str) -> None:
    """Nothing but `ProtocolError` escapes, and what it says can be sent and is short; what is read can be used."""
    try:
        message = protocol.decode(text)
    except protocol.ProtocolError as error:
        told = protocol.encode(
            protocol.Error(code=protocol.ErrorCode.INVALID_MESSAGE, message=str(error), session_id=None)
        )
        assert len(told) < LONGEST_COMPLAINT
    else:
        assert isinstance(message, protocol.ClientMessage)
        assert msgspec.json.encode(message)

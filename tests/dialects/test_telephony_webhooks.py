"""A telephone call, and a receiver of its events."""

import asyncio
from pathlib import Path

from switches import twilio_media, twilio_says, twilio_start

from harness.audio import silence, speech
from harness.stack import ECHO
from harness.waiting import until
from tests.webhooks.receiver import Receiver
from tests.webhooks.sending import Sending

SAID = silence(0.4) + speech("s13_pm_alex") + silence(0.6)


async def test_a_telephone_call_s_finals_are_told_as_any_other_s(tmp_path: Path) -> None:
    """In place of the second socket that listens to the call."""
    receiver = Receiver()
    settings = {"STT_WEBHOOK_HOSTS": receiver.url, "STT_WEBHOOK_NETWORKS": "127.0.0.1/32"}
    with Sending(tmp_path, ECHO | settings) as stack, receiver.listening():
        secret = stack.start().hook("switch", receiver.url)
        stack.start_sender()
        await twilio_says(stack, twilio_start("CA7"), twilio_media(SAID))
        await asyncio.to_thread(until, lambda: receiver.of("session.closed"), "the call's end")
        await asyncio.to_thread(until, lambda: receiver.of("segment.final"), "what was said")

    assert all(told.is_signed_with(secret) for told in receiver.taken)
    assert {told.body["data"]["session"]["session_id"] for told in receiver.taken} == {"CA7/MZ1"}
    assert receiver.of("segment.final")[0].body["data"]["transcript"]["text"]

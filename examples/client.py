"""The smallest client: streams a 16 kHz mono 16-bit WAV in real time and prints what comes back."""

import asyncio
import json
import os
import sys
import wave

import websockets


async def speak(ws: websockets.ClientConnection, audio: wave.Wave_read) -> None:
    """Send the audio, 20 ms at a time, then end the session."""
    while chunk := audio.readframes(320):
        await ws.send(chunk)
        await asyncio.sleep(0.02)
    await ws.send(json.dumps({"type": "end_session"}))


async def main(path: str, url: str = "ws://127.0.0.1:8000/ws/stt") -> None:
    """Print partials and finals until the session has ended. `STT_API_KEY` of the environment is the key, if any."""
    key = os.environ.get("STT_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with wave.open(path) as audio:
        # Of what is done at once, the first failure ends all.
        async with websockets.connect(url, additional_headers=headers) as ws, asyncio.TaskGroup() as tasks:
            await ws.send(json.dumps({"type": "start_session", "config": {"lang_code": "pt"}}))
            async for raw in ws:
                message = json.loads(raw)
                sys.stdout.write(f"{message['type']:<20} {message.get('text') or message.get('message') or ''}\n")
                if message["type"] == "session_started":
                    tasks.create_task(speak(ws, audio))
                elif message["type"] == "error":
                    sys.exit(1)


asyncio.run(main(*sys.argv[1:]))

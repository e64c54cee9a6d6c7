"""The example client of the base contract, unchanged: it wants `audio.raw` (PCM16, 16 kHz, mono) beside it."""

import asyncio
import json
import websockets

async def stream_audio():
    async with websockets.connect("ws://localhost:8000/ws/stt") as ws:
        # Start session
        await ws.send(json.dumps({
            "type": "start_session",
            "session_id": "my-session",
            "config": {"lang_code": "pt"}
        }))
        
        # Wait for confirmation
        response = json.loads(await ws.recv())
        assert response["type"] == "session_started"
        
        # Stream audio (PCM16, 16kHz, mono)
        with open("audio.raw", "rb") as f:
            while chunk := f.read(1280):  # 20ms chunks
                await ws.send(chunk)
                await asyncio.sleep(0.02)  # Real-time pacing
        
        # Flush and end
        await ws.send(json.dumps({"type": "flush"}))
        await ws.send(json.dumps({"type": "end_session"}))
        
        # Receive transcripts
        async for msg in ws:
            data = json.loads(msg)
            if data["type"] == "final_transcript":
                print(f"Transcript: {data['text']}")
            elif data["type"] == "session_ended":
                break

asyncio.run(stream_audio())

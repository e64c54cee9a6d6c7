"""What turns audio into text: the seam (`engine.py`), Whisper behind it, a double, where models come from."""

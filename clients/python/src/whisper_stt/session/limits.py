"""Times and sizes that every client keeps to, each with its reason. The service's settings are at their defaults."""

CHUNK_MS = 40
"""Audio goes out in pieces so long: little beside the 300 ms between partials (`STT_PARTIAL_INTERVAL_MS`), and half as
many frames as pieces of 20 ms, the shortest that are usual."""

SILENCE_KEPT_S = 15.0
"""While nobody speaks and no final is awaited, audio sent longer ago is not kept for a replay: it was silence.

The service tells of speech 250 ms after it began (`STT_VAD_MIN_SPEECH_MS`), but it may read late what was sent: socket
buffers hold seconds of audio, and a busy service takes its time. Too short a time loses a word with a slow
connection; too long a one repeats silence, which at `pace.DEFAULT_SPEED` takes less than a second.
"""

KEPT_S = 600.0
"""More audio than this is not kept for a replay, transcribed or not.

The service may owe four utterances of 30 s that were sent ahead (`pace.MAX_UNANSWERED`, `STT_MAX_UTTERANCE_S`), and
what is said while their finals are as late as they may be, 120 s (`STT_MAX_FINAL_WAIT_S`): 240 s in all. More than
twice that leaves room for other settings. It is 19 MB at 16 kHz, needed only while nothing is answered.
"""

HEARTBEAT_S = 20.0
"""A ping is sent so often. The service pings as often, proxies cut connections that are silent for 60 s, and a lost
session is kept for 30 s after the service has noticed (`STT_RESUME_WINDOW_S`), so it is worth noticing soon."""

CLOSE_S = 2.0
"""A closing handshake may take so long before the socket is dropped; the service waits as long."""

LAST_WORD_S = 150.0
"""When the service says nothing for so long after `end_session`, it is taken for lost: within 120 s it answers for each
final by itself (`STT_MAX_FINAL_WAIT_S`), with an error if need be."""

"""LiveKit's audio as the service takes it: mono, at one sample rate."""

from collections.abc import Iterator

import numpy as np
from livekit import rtc
from livekit.agents.utils.audio import AudioBuffer

from ._mixing import Mixer


def mono(frame: rtc.AudioFrame, mixer: Mixer) -> rtc.AudioFrame:
    """The frame with its channels mixed into one; `mixer` is that of the stream it belongs to."""
    if frame.num_channels == 1:
        return frame
    samples = mixer.mix(np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels))
    return rtc.AudioFrame(samples.tobytes(), frame.sample_rate, 1, frame.samples_per_channel)


def pcm(buffer: AudioBuffer, sample_rate: int) -> Iterator[bytes]:
    """A whole buffer as 16-bit mono PCM at `sample_rate`, in pieces."""
    mixer = Mixer()
    frames = [mono(frame, mixer) for frame in (buffer if isinstance(buffer, list) else [buffer])]
    if frames and frames[0].sample_rate != sample_rate:
        resampler = rtc.AudioResampler(frames[0].sample_rate, sample_rate, quality=rtc.AudioResamplerQuality.HIGH)
        frames = [out for frame in frames for out in resampler.push(frame)] + resampler.flush()
    for frame in frames:
        yield frame.data.tobytes()

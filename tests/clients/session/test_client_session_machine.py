"""A client's session and a model of the service, under arbitrary drops, refusals, flushes and delays."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from model_service import MS, RATE, Service, pcm, samples
from whisper_stt.session import (
    Config,
    FinalTranscript,
    Frame,
    Happening,
    ServerError,
    Session,
    SessionStarted,
    Wait,
    WhisperSttError,
)

FAR = 1e9
mostly = st.sampled_from([True, True, True, False])


class ClientMachine(RuleBasedStateMachine):
    """Every sample tells its position and whether somebody speaks, so a final's samples tell what was transcribed."""

    @initialize(vad=mostly, speed=st.sampled_from([1.0, 20.0, 1e6]))
    def begin(self, vad: bool, speed: float) -> None:
        self.vad = vad
        self.session = Session(self.config("0"), speed=speed)
        self.service = Service()
        self.now = 1000.0
        self.up = False
        self.way: deque[Frame] = deque()
        """What is on its way to the service."""
        self.spoken: list[bool] = []
        """Of each sample, whether it has to be transcribed."""
        self.half = b""
        """Of the last sample the byte that was not pushed yet."""
        self.sent_end = 0
        self.languages: list[tuple[int, str]] = [(0, "0")]
        """From which sample on which options hold."""
        self.flushes: dict[str, int] = {}
        self.answered: list[str] = []
        self.told: set[tuple[str, str]] = set()
        self.covered: set[int] = set()
        self.final_end = 0
        self.ended = False

    # The stream

    @precondition(lambda self: not self.ended)
    @rule(count=st.integers(1, 150), speech=mostly, odd=st.booleans())
    def speak(self, count: int, speech: bool, odd: bool = False) -> None:
        """In pieces of whole samples, or not."""
        if len(self.spoken) + count > 30_000:
            return
        audio = self.half + pcm(len(self.spoken), count, speech=speech)
        self.half = audio[-1:] if odd else b""
        self.session.push(audio[: len(audio) - len(self.half)])
        self.spoken += [speech or not self.vad] * count

    @precondition(lambda self: not self.ended)
    @rule()
    def flush(self) -> None:
        flush_id = f"flush-{len(self.flushes)}"
        self.flushes[flush_id] = len(self.spoken) - len(self.half)
        self.session.flush(flush_id)

    @precondition(lambda self: not self.ended and len(self.spoken) > 500)
    @rule()
    def end(self) -> None:
        self.ended = True
        self.session.push(self.half)
        self.session.end()

    @rule()
    def restart(self) -> None:
        """With other options: they hold for what was never sent."""
        language = str(int(self.languages[-1][1]) + 1)
        if self.session.restarting:
            self.languages[-1] = (self.languages[-1][0], language)
        else:
            self.languages.append((self.sent_end, language))
        self.session.restart(self.config(language))

    def config(self, language: str) -> Config:
        return Config(
            sample_rate=RATE,
            vad_enabled=self.vad,
            partial_results=True,
            word_timestamps=True,
            lang_code=language,
        )

    # What streams mostly do

    @precondition(lambda self: not self.ended)
    @rule(data=st.data(), words=st.integers(1, 3))
    def utter(self, data: st.DataObject, words: int) -> None:
        """Utterances that are answered or not, flushed or not, before or after the connection is lost."""
        for _ in range(words):
            self.reach()
            self.speak(count=data.draw(st.integers(5, 80)), speech=True)
            self.speak(count=data.draw(st.sampled_from([0, 8, 40, 40])), speech=False)
            if data.draw(st.booleans()):
                self.flush()
            self.talk(frames=60)
            if data.draw(mostly):
                self.hear(20)
            if self.service.live and self.service.pending and data.draw(mostly):
                self.answer(fails=False, times=2)
            if data.draw(mostly):
                self.hear(20)
            elif self.up:
                self.lose_and_reach()

    @precondition(lambda self: self.session.needed)
    @rule()
    def lose_and_reach(self) -> None:
        """As networks do."""
        if self.up:
            self.lose()
        self.reach()

    @precondition(lambda self: not self.ended)
    @rule(seconds=st.sampled_from([5, 17]), speech=st.booleans(), lost=st.booleans())
    def go_on(self, seconds: int, speech: bool, lost: bool) -> None:
        """With the same for long, in real time."""
        self.reach()
        for _ in range(seconds):
            self.speak(count=RATE, speech=speech)
            self.talk(frames=60)
            self.wait(1.0)
        if lost and self.up:
            self.lose_and_reach()

    def reach(self) -> None:
        if not self.up and self.session.needed:
            self.connect(mood="fine", whole=True)

    def talk(self, frames: int) -> None:
        if self.up:
            self.send(frames)

    # The connection

    @precondition(lambda self: not self.up and self.session.needed)
    @rule(mood=st.sampled_from(["fine"] * 6 + ["busy", "simple", "taken"]), whole=mostly)
    def connect(self, mood: str, whole: bool) -> None:
        self.up = True
        self.way.clear()
        self.service.connect()
        self.service.mood = mood
        self.session.connect(self.now, FAR)
        if whole:
            self.send(1)
            self.hear(20)

    @precondition(lambda self: self.up)
    @rule(frames=st.integers(1, 60))
    def send(self, frames: int) -> None:
        """Send so much, and let it arrive."""
        self.post(frames)
        self.arrive(frames)

    @precondition(lambda self: self.up)
    @rule(frames=st.integers(1, 60))
    def post(self, frames: int) -> None:
        """Send so much, as fast as it may go out; it does not arrive yet."""
        while self.up and frames:
            frames -= 1
            frame = self.poll()
            if isinstance(frame, Wait):
                if frame.seconds is None or frame.seconds > 1:
                    break
                self.now += frame.seconds
                continue
            self.way.append(frame)
            if isinstance(frame, bytes):
                self.sent_end = max(self.sent_end, samples(frame)[-1] // 2 + 1)

    def poll(self) -> Frame | Wait:
        try:
            return self.session.poll(self.now)
        except WhisperSttError:
            self.lose()
            return Wait()

    @precondition(lambda self: self.way)
    @rule(frames=st.integers(1, 60))
    def arrive(self, frames: int) -> None:
        while self.way and frames:
            frames -= 1
            self.service.receive(self.way.popleft())

    @precondition(lambda self: self.up and self.service.outgoing)
    @rule(messages=st.integers(1, 10))
    def hear(self, messages: int) -> None:
        while self.up and messages and self.service.outgoing:
            messages -= 1
            try:
                happenings = self.session.receive(self.service.outgoing.popleft(), self.now)
            except WhisperSttError:
                self.lose()
                return
            for happening in happenings:
                self.take(happening)
            if not self.session.connected:
                self.lose()

    @precondition(lambda self: self.up)
    @rule()
    def lose(self) -> None:
        """With all that was on its way."""
        self.up = False
        self.way.clear()
        self.service.connect()

    @rule(seconds=st.sampled_from([0.1] * 6 + [1.0, 20.0]))
    def wait(self, seconds: float) -> None:
        """What is on its way is not on it for long."""
        self.now += seconds
        if self.up and seconds >= 1:
            self.arrive(1000)
            self.hear(1000)

    # The service

    @precondition(lambda self: self.service.live and self.service.pending)
    @rule(fails=st.sampled_from([False] * 5 + [True]), times=st.integers(1, 3))
    def answer(self, fails: bool, times: int) -> None:
        while times and self.service.pending:
            times -= 1
            self.service.answer(fails=fails)

    @precondition(lambda self: self.service.live and self.service.kept.answers and not self.service.kept.over)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        self.service.repeat(data.draw(st.integers(1, min(len(self.service.kept.answers), 16))))

    @precondition(lambda self: self.service.live and not self.service.ending)
    @rule()
    def time_out(self) -> None:
        """Whatever is on its way to it then is not heard."""
        self.service.end("timeout")

    @precondition(lambda self: self.service.live and not self.service.ending and len(self.spoken) > 300)
    @rule(frames=st.integers(0, 5))
    def congest(self, frames: int) -> None:
        """The client hears of it: where it does not, no client can know of the hole."""
        self.service.congest()
        self.send(frames)
        self.hear(1000)

    # What always holds

    def take(self, happening: Happening) -> None:
        match happening:
            case SessionStarted():
                return
            case FinalTranscript(segment_id=segment_id) | ServerError(segment_id=str(segment_id)):
                key = happening.session_id or "", segment_id
                assert key not in self.told, "told once"
                self.told.add(key)
                self.covered |= {sample >> 1 for sample in self.service.heard[key]}
                if isinstance(happening, FinalTranscript):
                    self.check_final(happening, [sample >> 1 for sample in self.service.heard[key]])
                if happening.flush_id is not None:
                    self.check_flush(happening.flush_id)

    def check_final(self, final: FinalTranscript, positions: list[int]) -> None:
        """It says where in the stream it is; finals do not overlap; it was heard with the options of then."""
        start = round(final.audio_start_ms / MS)
        assert positions == list(range(start, start + len(positions)))
        if not positions:
            return
        assert start >= self.final_end, "no sample in two finals"
        self.final_end = start + len(positions)
        language = self.service.sessions[final.session_id].config["lang_code"]
        for position in (start, self.final_end - 1):
            assert language == [name for at, name in self.languages if at <= position][-1]

    def check_flush(self, flush_id: str) -> None:
        """Answered once, in the order of asking, and after all that was said before it."""
        self.answered.append(flush_id)
        assert self.answered == list(self.flushes)[: len(self.answered)]
        assert self.unheard(self.flushes[flush_id]) == []

    def unheard(self, end: int) -> list[int]:
        return [at for at, spoken in enumerate(self.spoken[:end]) if spoken and at not in self.covered]

    def teardown(self) -> None:
        """All goes well from here on: in the end every word is transcribed and every flush answered."""
        if not hasattr(self, "session"):
            return
        if not self.ended:
            self.end()
        for _ in range(10_000):
            if self.session.over:
                break
            if not self.up:
                self.connect(mood="fine", whole=True)
            self.send(100)
            if self.service.live and self.service.pending:
                self.answer(fails=False, times=3)
            self.hear(100)
            self.now += 0.1
        assert self.session.over
        assert self.unheard(len(self.spoken)) == []
        assert self.answered == list(self.flushes)


ClientMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestClientMachine = ClientMachine.TestCase

"""Whisper through faster-whisper and CTranslate2.

One encode and one generate a batch, on windows shorter than 30 s where the audio is (`windows.py`). A doubtful final is
decoded again in the whole 30 s, once: hotter decodes, as faster-whisper tries, cost many seconds on noise. Audio longer
than a window is left to faster-whisper's `transcribe`. Facts about CTranslate2's calls that the code leans on: prompts
of a batch need `<|startoftranscript|>` at one index and may differ after it; `max_length` 2 N allows N new tokens;
timestamp rules go by the first prompt alone; the forced prefix of a prompt is part of its result.
"""

import math
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import ctranslate2
import msgspec
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE, Task
from transcription.core.contract.jobs import Job, Kind
from transcription.core.languages import PORTUGUESE
from transcription.core.protocol import Dropped, Word
from workers.engines import cuda, evidence, gate, going_on, keyterms, long_audio, repetition, spoken, windows
from workers.engines.attempt import Attempt, Prepared
from workers.engines.engine import EngineError, Hypothesis, Request
from workers.engines.remainder import Remainder, voice
from workers.engines.vocabulary import repaired
from workers.engines.words import readable, words

FRAMES_PER_SECOND = 100
TIMESTAMP_S = 0.02
PAST_THE_END_S = 0.3
"""Text that the model itself places so long after the audio's end was not heard."""
SILENCE_S = 2
"""The silence that a final's text is held against."""
MAX_BATCH = {"cpu": 8, "cuda": 16}
SURE = 0.5
"""From which probability the model is sure of a token: it is likelier than all others together."""
NO_REPEAT_TOKENS = 4
"""Tokens in a row that the way out of a loop may not say twice: a word or two."""


class WhisperEngine:
    """One loaded model on one device."""

    def __init__(
        self,
        model: Path,
        device: str,
        compute_type: str,
        *,
        cpu_threads: int,
        lanes: int,
        max_batch: int = 0,
        least_final_window_s: int = windows.LEAST_FINAL_S,
    ) -> None:
        """Load the weights; `lanes` batches may be decoded at a time, each on `cpu_threads` threads.

        `max_batch` is the most jobs a batch takes (0: `MAX_BATCH` of the device); finals are decoded in windows of
        `least_final_window_s` or more.

        Raises `EngineError` when the device or the compute type cannot be used.
        """
        try:
            if device == "cuda":
                cuda.load_libraries()
            self._model = WhisperModel(
                str(model), device=device, compute_type=compute_type, cpu_threads=cpu_threads, num_workers=lanes
            )
        except (cuda.CudaUnavailable, RuntimeError, ValueError) as error:
            text = f"The model cannot be loaded on {device} as {compute_type}: {cuda.meaning(error)}"
            raise EngineError(text, retryable=False) from error
        self.device = device
        self.compute_type = str(self._model.model.compute_type)
        self.max_batch = max_batch or MAX_BATCH[device]
        self._least_final_window_s = least_final_window_s
        self._tokenizer = lru_cache(maxsize=None)(self._make_tokenizer)
        silence = self._features(Kind.FINAL, np.zeros(SAMPLE_RATE, np.float32), SILENCE_S * FRAMES_PER_SECOND)
        self._silence = evidence.Silence(self._model.model, silence)
        self._remainder: Remainder | None = None
        if device == "cpu":  # what it gains has been measured there; encoding costs a GPU little
            whole = self._features(Kind.FINAL, voice(), windows.LONGEST_S * FRAMES_PER_SECOND)
            self._remainder = Remainder(self._encode([whole]))
        self._suppressed = get_suppressed_tokens(self._tokenizer("en"), [-1])
        self._vocabulary = repaired(self._model.hf_tokenizer)

    def prepare(
        self, job: Job, audio: NDArray[np.float32], before: NDArray[np.float32] | None = None
    ) -> Request | Hypothesis:
        """Features and prompt; audio longer than a window is left to `transcribe` and shares its batch with nobody.

        Where nobody speaks the answer is what was known before.
        """
        if gate.is_silent(audio) or not (job.endpointed or gate.has_speech(audio)):
            return Hypothesis(job.prefix, 0.0, [], sure_words=0)
        window = windows.window_s(audio.size / SAMPLE_RATE, job.kind, self._least_final_window_s)
        if not window:
            return Request(job, audio, key=job.job_id)
        return replace(self._fit(job, audio, window, in_part=True), before=before)

    def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        """Decode requests of one key together; finals that are not to be believed again, each by itself."""
        if batch[0].features is None:
            return [self._transcribe(request) for request in batch]
        encoded = self._encode([request.features.features for request in batch])
        found = spoken.found(self._model.model, batch, lambda: encoded)
        batch = [self._in(request, each.language) for request, each in zip(batch, found, strict=True)]
        if len({request.key for request in batch}) == 1:
            heard = self._generate(batch, encoded=encoded)
        else:  # not all are in the language that was expected of them
            heard = [attempt for request in batch for attempt in self._generate([request])]
        if batch[0].job.kind is Kind.FINAL:
            heard = list(map(self._going_on, batch, map(self._final, batch, heard)))
        return [each.told(attempt.hypothesis) for each, attempt in zip(found, heard, strict=True)]

    def _final(self, request: Request, attempt: Attempt) -> Attempt:
        """The attempt, or a better one, as far as it is believed: where that is not, the first if it has much for it.

        What is encoded in part is for what is beyond doubt: for anything else all of its window is.
        """
        audio_s = request.audio.size / SAMPLE_RATE
        if not request.features.is_whole:
            odd = attempt.loops or attempt.doubtful or windows.is_sparse(attempt.said, audio_s)
            if not odd and (judged := self._believed(request, attempt)).hypothesis.text:
                return judged
            request = self._fit(request.job, request.audio, request.features.window)
            (attempt,) = self._generate([request])
        judged = self._believed(request, again := self._again(request, attempt))
        if judged.hypothesis.text or again is attempt or attempt.loops:
            return judged
        first = self._believed(request, attempt, evidence.CONTRADICTED)
        return first if first.hypothesis.text else judged

    def _again(self, request: Request, attempt: Attempt) -> Attempt:
        """The attempt, or a better one.

        Out of a loop leads a decode that may not repeat four tokens; the whole window would only loop for longer. What
        is left out is found with timestamps.
        """
        audio_s = request.audio.size / SAMPLE_RATE
        if attempt.silent:
            return attempt
        if attempt.loops:
            return self._generate([request], windows.max_tokens(audio_s), no_repeat_ngram_size=NO_REPEAT_TOKENS)[0]
        if windows.is_sparse(attempt.said, audio_s):
            timed = self._fit(request.job, request.audio, request.features.window, timed=True)
            (fuller,) = self._generate([timed], windows.max_tokens(audio_s))
            believed = not fuller.loops and not fuller.doubtful
            if believed and len(fuller.said) >= windows.FULLER * len(attempt.said):
                return fuller
        if not attempt.doubtful or request.features.window == windows.LONGEST_S:
            return attempt
        whole = self._fit(request.job, request.audio, windows.LONGEST_S)
        (widened,) = self._generate([whole], windows.max_tokens(audio_s))
        return attempt if widened.loops or (widened.doubtful and widened.logprob <= attempt.logprob) else widened

    def _going_on(self, request: Request, attempt: Attempt) -> Attempt:
        """The attempt, or what is heard in one window with the segment before, held to the text of that."""
        before = request.before
        if before is None or request.job.before is None or not attempt.hypothesis.text:
            return attempt
        audio = np.concatenate([before, request.audio])
        audio_s = audio.size / SAMPLE_RATE
        window = windows.window_s(audio_s, request.job.kind, self._least_final_window_s)
        job, limit = msgspec.structs.replace(request.job, prefix=request.job.before.text), windows.max_tokens(audio_s)
        if window is None or len(self._tokens(job.prefix)) >= limit:  # some alphabets take three tokens a letter
            return attempt
        (both,) = self._generate([self._fit(job, audio, window)], limit)
        rest = going_on.rest(both.hypothesis, job.prefix, before.size / SAMPLE_RATE, audio_s, attempt.hypothesis.text)
        return replace(both, hypothesis=rest, said=rest.text) if rest and not both.loops else attempt

    def _believed(self, request: Request, attempt: Attempt, least: float = 0.0) -> Attempt:
        """The attempt, without its text where the audio does not support it, by `least` more than is asked for."""
        said = attempt.said
        excess = evidence.excess(said, self._evidence(request, attempt), attempt.no_speech) if said else 0.0
        if excess >= least or (not least and evidence.is_heard_again(attempt.hypothesis.text, request.job.believed)):
            return attempt
        dropped = Dropped(reason="no_speech" if attempt.silent else "no_evidence", score=round(excess, 2))
        return replace(attempt, hypothesis=Hypothesis("", 0.0, [], dropped, said))

    def _evidence(self, request: Request, attempt: Attempt) -> float:
        """How much likelier the text is on its audio than on silence: of one that repeats itself each word once."""
        weighed, heard = evidence.weighed(attempt.said), attempt.logprob
        tokens = self._tokens(weighed)
        if weighed != attempt.said:
            heard = self._scores([request], self._encode([request.features.features]), [weighed])[0] / len(tokens)
        sot_sequence = self._tokenizer(request.job.language, request.job.task).sot_sequence
        foreseen = [self._silence.logprob(sot_sequence, self._tokens(one)) for one in evidence.spellings(weighed)]
        return heard - max(foreseen)

    def _fit(
        self, job: Job, audio: NDArray[np.float32], window: int, *, timed: bool = False, in_part: bool = False
    ) -> Request:
        known = in_part and self._remainder and job.kind is Kind.FINAL
        encoded_s = windows.encoded_s(audio.size / SAMPLE_RATE, window) if known else window
        features = self._features(job.kind, audio, encoded_s * FRAMES_PER_SECOND)
        prompt = self._prompt(job, timed=timed)
        prepared = Prepared(np.ascontiguousarray(features), window, prompt, is_whole=encoded_s == window)
        return Request(job, audio, key=_key(job, prepared), features=prepared)

    def _prompt(self, job: Job, *, timed: bool = False) -> list[int]:
        tokenizer = self._tokenizer(job.language, job.task)
        prompt = [*tokenizer.sot_sequence]
        if job.kind is Kind.FINAL or job.prefix:
            timed = timed or job.kind is Kind.PARTIAL
            prompt.append(tokenizer.timestamp_begin if timed else tokenizer.no_timestamps)
        return [*prompt, *self._tokens(job.prefix)]

    def _in(self, request: Request, language: str) -> Request:
        """The request, its language being known; `language` is empty where it was from the first."""
        if not language or language == request.job.language:
            return request
        terms = request.job.keyterms if language == PORTUGUESE else ()
        job, prepared = msgspec.structs.replace(request.job, language=language, keyterms=terms), request.features
        features = replace(prepared, prompt=self._prompt(job))
        return replace(request, job=job, key=_key(job, features), features=features)

    def _encode(self, features: list[NDArray[np.float32]]) -> ctranslate2.StorageView:
        return self._model.model.encode(ctranslate2.StorageView.from_array(np.stack(features)))

    def _features(self, kind: Kind, audio: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
        """Log-mel spectrogram, shape (mels, frames).

        A final's is filled up with zeros, as faster-whisper does (`pad_or_trim`): that costs fewest errors without
        timestamps. A partial's audio is filled up with silence, which does best with them.
        """
        if kind is Kind.FINAL:
            features: NDArray[np.float32] = self._model.feature_extractor(audio)[:, :frames]
            return np.pad(features, ((0, 0), (0, frames - features.shape[1])))
        padded = np.zeros(frames * SAMPLE_RATE // FRAMES_PER_SECOND, dtype=np.float32)
        padded[: audio.size] = audio
        filled: NDArray[np.float32] = self._model.feature_extractor(padded, padding=0)
        return filled[:, :frames]

    def _generate(
        self, batch: list[Request], limit: int = 0, encoded: ctranslate2.StorageView | None = None, **options: int
    ) -> list[Attempt]:
        """One encode and one generate, of at most `limit` tokens each (0: as many as may be said in the window)."""
        prepared: list[Prepared] = [request.features for request in batch]
        encoded = encoded or self._encode([one.features for one in prepared])
        whole = self._remainder.behind(encoded, prepared[0].window) if self._remainder else encoded
        limit = limit or windows.max_tokens(prepared[0].window)
        results = self._model.model.generate(
            whole,
            [one.prompt for one in prepared],
            beam_size=batch[0].job.beam_size,
            max_length=2 * limit,
            return_scores=True,
            return_no_speech_prob=True,
            return_logits_vocab=batch[0].job.kind is Kind.PARTIAL,
            suppress_tokens=self._suppressed,
            **options,
        )
        heard = [self._read(request, result, limit) for request, result in zip(batch, results, strict=True)]
        heard = self._with_terms(batch, encoded, heard)
        return self._align(batch, encoded, heard) if batch[0].job.word_timestamps else heard

    def _read(self, request: Request, result: Any, limit: int) -> Attempt:
        """What a result says, without its copies."""
        job, tokens = request.job, result.sequences_ids[0]
        # the score is the sum over the tokens and the end of text, divided by the tokens alone; a prefix adds nothing
        held = len(self._tokens(job.prefix)) if job.kind is Kind.FINAL else 0
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1 - held)
        if math.isnan(logprob):  # some cards compute these in float16
            raise FloatingPointError("the model's probabilities are not numbers")
        if job.kind is Kind.PARTIAL and windows.is_silence(logprob, result.no_speech_prob):
            return Attempt(Hypothesis("", 0.0, []), logprob)
        said, audio_s = readable(self._text(request, tokens)), request.audio.size / SAMPLE_RATE
        text = repetition.collapse(said, audio_s, known=len(job.prefix.split()))
        loops = len(tokens) >= limit or repetition.is_loop(said, audio_s)
        # of a loop that stays one, as much is believed as is left
        confidence = math.exp(logprob) * (len(text) / len(said) if loops else 1.0) if text else 0.0
        sure = self._sure_words(request, result, text) if job.kind is Kind.PARTIAL else None
        heard = Hypothesis(text, confidence, [], sure_words=sure)
        doubtful = windows.is_doubtful(said, logprob)
        return Attempt(heard, logprob, result.no_speech_prob, said=text, loops=loops, doubtful=doubtful)

    def _sure_words(self, request: Request, result: Any, text: str) -> int:
        """How many words of the text, from the first on, have no token that the model doubts; names it was told may."""
        tokenizer = self._tokenizer(request.job.language, request.job.task)
        terms = keyterms.written(text, request.job.keyterms)
        said = ""
        for token, logits in zip(result.sequences_ids[0], result.logits[0], strict=False):
            if token >= tokenizer.eot:
                continue
            said, odds = said + tokenizer.decode([token]), np.asarray(logits).ravel()
            if np.exp(odds - odds[token]).sum() > 1 / SURE and len(said.split()) - 1 not in terms:
                said = " ".join(said.split()[:-1])
                break
        alike = (one == other for one, other in zip(said.split(), text.split(), strict=False))
        return sum(takewhile(bool, alike))

    def _text(self, request: Request, tokens: list[int]) -> str:
        """The text up to where the model itself says that it is past the end of the audio."""
        tokenizer = self._tokenizer(request.job.language, request.job.task)
        end = tokenizer.timestamp_begin + int((request.audio.size / SAMPLE_RATE + PAST_THE_END_S) / TIMESTAMP_S)
        kept = []
        for token, following in zip(tokens, [*tokens[1:], tokenizer.eot], strict=True):
            if token > end and following < tokenizer.eot:
                break
            if token < tokenizer.eot:
                kept.append(token)
        return str(tokenizer.decode(kept)).strip()

    def _with_terms(self, batch: list[Request], encoded: Any, heard: list[Attempt]) -> list[Attempt]:
        """What was heard, with the terms of each job that were said.

        One pass scores all texts as they are, and one more each a term that some of them sound like.
        """
        found = [
            keyterms.places(attempt.said, request.job.keyterms, len(request.job.prefix.split()))
            if request.job.keyterms and attempt.said
            else []
            for request, attempt in zip(batch, heard, strict=True)
        ]
        if not any(found):
            return heard
        as_said = self._scores(batch, encoded, [one.said if at else "" for one, at in zip(heard, found, strict=True)])
        gains: list[list[float]] = [[] for _ in batch]
        for nth in range(max(map(len, found))):
            tried = [
                keyterms.with_terms(one.said, at[nth : nth + 1]) if nth < len(at) else ""
                for one, at in zip(heard, found, strict=True)
            ]
            scores = self._scores(batch, encoded, tried)
            for row in range(len(batch)):
                if tried[row]:
                    gains[row].append(scores[row] - as_said[row])
        meant = [keyterms.heard(at, gained) for at, gained in zip(found, gains, strict=True)]
        return [_in_terms(one, terms) if terms else one for one, terms in zip(heard, meant, strict=True)]

    def _scores(self, batch: list[Request], encoded: Any, texts: list[str]) -> list[float]:
        """Log probability of each text on its request's audio, 0 of none."""
        tokenizer = self._tokenizer(batch[0].job.language, batch[0].job.task)
        tokens = [self._tokens(text) for text in texts]
        found = self._model.model.align(encoded, tokenizer.sot_sequence, tokens, _frames(batch))
        return [
            float(evidence.logs(one.text_token_probs[: len(row)]).sum()) for one, row in zip(found, tokens, strict=True)
        ]

    def _tokens(self, text: str) -> list[int]:
        """A text as the model itself would write it after a space; none of none."""
        return list(self._vocabulary.encode(" " + text, add_special_tokens=False).ids) if text else []

    def _align(self, batch: list[Request], encoded: Any, heard: list[Attempt]) -> list[Attempt]:
        """Word times of all texts of a batch (one language), from the cross-attention of one more pass."""
        tokenizer = self._tokenizer(batch[0].job.language, batch[0].job.task)
        tokens = [self._tokens(one.hypothesis.text) for one in heard]
        if not any(tokens):
            return heard
        found = self._model.find_alignment(tokenizer, tokens, encoded, _frames(batch))
        return [
            replace(attempt, hypothesis=replace(attempt.hypothesis, words=_timed(request, pieces)))
            for attempt, request, pieces in zip(heard, batch, found, strict=True)
        ]

    def _transcribe(self, request: Request) -> Hypothesis:
        """Audio longer than a window; the language is that of its first."""
        head = request.audio[: windows.LONGEST_S * SAMPLE_RATE]
        (found,) = spoken.found(
            self._model.model,
            [request],
            lambda: self._encode([self._features(Kind.FINAL, head, windows.LONGEST_S * FRAMES_PER_SECOND)]),
        )
        job = msgspec.structs.replace(request.job, language=found.language or request.job.language)
        return found.told(long_audio.transcribe(self._model, job, request.audio))

    def _make_tokenizer(self, language: str, task: Task = "transcribe") -> Tokenizer:
        multilingual = self._model.model.is_multilingual
        return Tokenizer(self._model.hf_tokenizer, multilingual, task=task, language=language)


def _frames(batch: list[Request]) -> list[int]:
    """How many frames of each request's window are audio."""
    return [max(request.audio.size * FRAMES_PER_SECOND // SAMPLE_RATE, 2) for request in batch]


def _in_terms(attempt: Attempt, terms: list[keyterms.Place]) -> Attempt:
    """The attempt with terms in their places; from the first of them on its words are others."""
    heard = attempt.hypothesis
    sure = heard.sure_words and min(heard.sure_words, *(term.first for term in terms))
    return replace(attempt, hypothesis=replace(heard, text=keyterms.with_terms(heard.text, terms), sure_words=sure))


def _key(job: Job, prepared: Prepared) -> tuple[object, ...]:
    """Requests of equal keys may share a batch: texts are held against the audio in one language at a time."""
    aligned = job.word_timestamps or job.keyterms
    sizes = (prepared.window, prepared.features.shape)
    return (job.kind, *sizes, job.beam_size, (job.language, job.task) if aligned else "", job.word_timestamps)


def _timed(request: Request, pieces: list[dict[str, Any]]) -> list[Word]:
    return words(pieces, request.job.language, request.audio.size / SAMPLE_RATE)

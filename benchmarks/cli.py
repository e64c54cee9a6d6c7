"""The command line: what to measure, with what, and where the reports go."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import answers, clips, observe
from benchmarks.accuracy import accuracy, accuracy_markdown
from benchmarks.arguments import parse
from benchmarks.behind import behind
from benchmarks.capacity import ramp
from benchmarks.clips import Recording
from benchmarks.conditions import CONDITIONS, Condition, Surroundings
from benchmarks.floor import floor
from benchmarks.hearing import ear, finals
from benchmarks.keyterms import keyterms, keyterms_markdown
from benchmarks.languages import languages, languages_markdown, recorded, synthesised
from benchmarks.latency import latency, serve
from benchmarks.model import Model
from benchmarks.naive import naive, simulate
from benchmarks.noise import noise
from benchmarks.options import Options
from benchmarks.overload import overload
from benchmarks.paired import Variant, paired_json, paired_markdown, rounds
from benchmarks.replay import by_engine, remembered, replay_markdown, replayed
from benchmarks.reporting import (
    capacity_markdown,
    floor_markdown,
    machine,
    noise_markdown,
    overload_markdown,
    report,
    runs_markdown,
    save,
    short_markdown,
    turns_markdown,
    wer_markdown,
)
from benchmarks.results import Run
from benchmarks.service import NO_LIMITS, launched
from benchmarks.short import short
from benchmarks.sounds import sounds
from benchmarks.ttfs import ttfs, ttfs_markdown
from benchmarks.turns import turns
from benchmarks.uploads import uploads, uploads_json, uploads_markdown
from benchmarks.wer import wer

EMBEDDED = Path("~/.cache/whisper-stt/models/base").expanduser()

Outcome = tuple[dict[str, Any], str]
"""Results as JSON, and as Markdown."""


class Bench:
    """The commands, over one set of options, clips and (loaded when first asked for) model."""

    def __init__(self, options: Options) -> None:
        self.options = options

    @functools.cached_property
    def pool(self) -> list[Recording]:
        """The chosen clips."""
        o = self.options
        chosen = clips.select(clips.read_manifest(o.manifest), folder=o.folder, refs=o.refs, limit=o.limit, seed=o.seed)
        if not chosen:
            raise SystemExit("No clip of the manifest fits --folder and --ref")
        loaded = [clip for clip in map(clips.load, chosen) if clip.seconds >= o.least_s]
        if not loaded:
            raise SystemExit(f"No clip of the manifest has {o.least_s:g} s (--least-s)")
        return _told("clips", loaded)

    @functools.cached_property
    def silent(self) -> list[Recording]:
        """Clips in which nobody speaks: those that are made, and those of `--noise`."""
        made = [clips.made(f"made/{name}", pcm, kind=name) for name, pcm in sounds().items()]
        return _told("clips without speech", [*made, *self._recorded_noise()][: self.options.limit])

    @functools.cached_property
    def answers(self) -> list[Recording]:
        """Answers of one or two words: those of the manifest, and synthesised ones."""
        o = self.options
        recorded = [clip for clip in clips.read_manifest(o.manifest) if answers.is_short(clip)]
        found = [*map(clips.load, recorded), *answers.synthesised(o.voices, o.limit)][: o.limit]
        if not found:
            raise SystemExit("`short` needs espeak-ng, or a manifest with recordings of one or two words")
        return _told("answers", found)

    def around(self, pool: list[Recording]) -> Surroundings:
        """What conditions are made with."""
        street = [recording for recording in self._recorded_noise() if recording.clip.kind == "street"]
        return Surroundings(pool, street, self.options.seed)

    def conditions(self, *default: str) -> list[Condition]:
        """Those asked for, or the command's own."""
        return [CONDITIONS[name] for name in self.options.conditions or default]

    def _recorded_noise(self) -> list[Recording]:
        o = self.options
        return [clips.load(clip) for clip in clips.read_manifest(o.noise)] if o.noise else []

    @functools.cached_property
    def model(self) -> Model:
        """The model alone."""
        o = self.options
        return Model(self.directory, o.device, o.compute_type, o.threads)

    @property
    def directory(self) -> Path:
        """Where the model is."""
        directory = self.options.model or EMBEDDED
        if not directory.is_dir():
            command = self.options.command
            raise SystemExit(f"`{command}` needs --model: a CTranslate2 model directory ({directory} is none)")
        return directory

    def latency(self) -> Outcome:
        """The service under each number of talkers."""
        runs = latency(self.options, self.pool)
        return {"runs": [run.as_json() for run in runs]}, runs_markdown("Latency", runs)

    def ttfs(self) -> Outcome:
        """From the end of speech to the last final, by a flush and by the service's own endpoint."""
        ways = ttfs(self.options, self.pool)
        return {"ways": [way.as_json() for way in ways]}, ttfs_markdown(ways)

    def capacity(self) -> Outcome:
        """The service, or the naive server, under more and more talkers."""
        o = self.options
        trial = (
            functools.partial(simulate, o, self.pool, self.model) if o.naive else functools.partial(serve, o, self.pool)
        )
        found = ramp(trial, o.max_talkers)
        results = {
            "talkers": found.talkers,
            "reasons": found.reasons,
            "runs": [found.runs[talkers].as_json() for talkers in sorted(found.runs)],
        }
        return results, capacity_markdown("Capacity, naive server" if o.naive else "Capacity", found)

    def floor(self) -> Outcome:
        """The model alone."""
        costs = floor(self.pool, self.model)
        return {"costs": [cost.as_json() for cost in costs]}, floor_markdown(costs)

    def naive(self) -> Outcome:
        """The naive server under each number of talkers."""
        runs = naive(self.options, self.pool, self.model)
        return {"runs": [run.as_json() for run in runs]}, runs_markdown("Naive server", runs)

    def wer(self) -> Outcome:
        """The service against the model offline, under each condition."""
        found = wer(self.options, self.around(self.pool), self.conditions("clean"), self.model)
        return {"conditions": {name: accuracy.as_json() for name, accuracy in found.items()}}, wer_markdown(found)

    def noise(self) -> Outcome:
        """What is made of sound in which nobody speaks, by the service and by the model offline."""
        ways = noise(self.options, self.silent, behind(self.pool), self.model if self.options.offline else None)
        return {"ways": [way.as_json() for way in ways]}, noise_markdown(ways)

    def short(self) -> Outcome:
        """Answers of a word or two, under each condition, by the service and by the model offline."""
        conditions = self.conditions("clean", "phone", "street10")
        model = self.model if self.options.offline else None
        found = short(self.options, self.around(self.answers), conditions, model)
        return {"conditions": [each.as_json() for each in found]}, short_markdown(found)

    def turns(self) -> Outcome:
        """How many turns are cut, and how long is waited after one, by silence alone and by what was said."""
        o = self.options
        texts = finals(self.directory, o.device, o.compute_type, o.threads or 1, o.out / "turns-texts.jsonl")
        swept = turns(o, self.pool, texts, ear(o.turn_model, o.out / "turns-sounds.jsonl") if o.turn_model else None)
        return {"swept": [each.as_json() for each in swept]}, turns_markdown(swept)

    def replay(self) -> Outcome:
        """The session and the engine by themselves, in virtual time."""
        o = self.options
        decode = remembered(by_engine(self.directory, o.device, o.compute_type))
        found = {ms: replayed(self.pool, decode, piece_ms=ms) for ms in o.pieces_ms}
        return {"replay": {str(ms): each.as_json() for ms, each in found.items()}}, replay_markdown(found)

    def accuracy(self) -> Outcome:
        """Finals against the model offline, under each condition, by group, in virtual time."""
        around, conditions = self.around(self.pool), self.conditions("clean")
        found = accuracy(self.options, around, conditions, self.model, self.directory)
        return {"ways": [one.as_json() for one in found]}, accuracy_markdown(found)

    def keyterms(self) -> Outcome:
        """How many names are written that are said, and that are not, with and without a list of them."""
        found = keyterms(self.options, self.pool, self.directory)
        return {"keyterms": [one.as_json() for one in found]}, keyterms_markdown(found)

    def languages(self) -> Outcome:
        """How often the language of what is said is found out."""
        o = self.options
        said = recorded(o.recordings, o.limit) if o.recordings else synthesised(o.limit)
        found = languages(said, self.directory, o.device, o.compute_type)
        return {"languages": [each.as_json() for each in found]}, languages_markdown(found)

    def paired(self) -> Outcome:
        """Variants of the service in turn, at each number of talkers."""
        o = self.options
        results, tables = [], []

        def trial(variant: Variant, talkers: int) -> Run:
            with launched(variant.checkout or o.checkout, NO_LIMITS | os.environ | variant.settings) as (o.url, o.pid):
                return serve(o, self.pool, talkers)

        for talkers in o.talkers:
            runs = rounds(o.variants, o.rounds, functools.partial(trial, talkers=talkers))
            results.append({"talkers": talkers, "variants": paired_json(o.variants, runs)})
            tables.append(paired_markdown(f"{talkers} talkers, ms", runs))
        return {"paired": results}, "\n\n".join(tables)

    def uploads(self) -> Outcome:
        """Talkers alone and beside uploads, at each number of talkers, of each variant."""
        o = self.options
        o.variants = o.variants or [Variant("now", {})]
        results, tables = [], []

        @contextlib.contextmanager
        def launch(variant: Variant) -> Iterator[Options]:
            with launched(variant.checkout or o.checkout, NO_LIMITS | os.environ | variant.settings) as (o.url, o.pid):
                yield o

        for talkers in o.talkers:
            found = uploads(o, self.pool, talkers, launch)
            results += uploads_json(found, talkers, o.partial_interval_ms)
            tables.append(uploads_markdown(f"{talkers} talkers, ms", found, talkers, o.partial_interval_ms))
        title = f"## Beside {o.uploads} uploads, {o.rounds} rounds: alone → beside (times)"
        return {"uploads": results}, "\n\n".join([title, *tables])

    def overload(self) -> Outcome:
        """Up to three times capacity and back; launched, once with admission and once without."""
        o = self.options
        if len(o.talkers) != 1:
            raise SystemExit("`overload` needs --talkers: one number, the talkers that are capacity")
        if not o.launch:
            found = {"as it is": overload(o, self.pool, o.talkers[0])}
        else:
            found = {}
            for name, limits in (("with admission", {}), ("without admission", NO_LIMITS)):
                with launched(o.checkout, limits) as (o.url, o.pid):
                    found[name] = overload(o, self.pool, o.talkers[0])
        return {name: run.as_json() for name, run in found.items()}, overload_markdown(found)

    def all(self) -> Outcome:
        """Everything, one after the other."""
        outcomes = {name: getattr(self, name)() for name in ("wer", "latency", "ttfs", "capacity", "floor", "naive")}
        results = {name: result for name, (result, _) in outcomes.items()}
        return results, "\n\n".join(markdown for _, markdown in outcomes.values())


def _told(what: str, recordings: list[Recording]) -> list[Recording]:
    report(f"{len(recordings)} {what}, {sum(recording.seconds for recording in recordings):.0f} s of audio\n")
    return recordings


SELF_SERVED = frozenset("accuracy floor keyterms languages naive overload paired replay turns uploads".split())
"""Commands without a service, or that start their own."""

COMMANDS: dict[str, Callable[[Bench], Outcome]] = {
    name: getattr(Bench, name)
    for name in (
        "latency",
        "ttfs",
        "capacity",
        "overload",
        "floor",
        "naive",
        "wer",
        "noise",
        "short",
        "turns",
        "replay",
        "accuracy",
        "keyterms",
        "languages",
        "paired",
        "uploads",
        "all",
    )
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark; returns the exit status."""
    options = parse(COMMANDS, arguments)
    if not options.launch or options.command in ("overload", "paired", "uploads"):
        return run(options)
    with launched(options.checkout, NO_LIMITS | os.environ) as (options.url, options.pid):
        return run(options)


def run(options: Options) -> int:
    """Run it against the service that is there."""
    bench = Bench(options)
    about = {
        "command": options.command,
        "options": options.as_json(),
        "machine": machine(),
        "began_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "server": None if options.command in SELF_SERVED else observe.status(options.url),
    }
    results, markdown = COMMANDS[options.command](bench)
    save(options.out, options.command, about | results, markdown)
    return 0

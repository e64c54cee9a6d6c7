// Brings the parts together: buttons, files, one conversation at a time.

import { clock } from "./clock.js";
import { Conversation } from "./conversation.js";
import { diagnose } from "./diagnosis.js";
import { copies, download } from "./export.js";
import { duration, language, speak, t, translate } from "./i18n.js";
import * as messages from "./messages.js";
import { Microphone, MicrophoneError } from "./microphone.js";
import * as notice from "./notice.js";
import * as options from "./options.js";
import * as partials from "./partials.js";
import * as programs from "./programs.js";
import * as progress from "./progress.js";
import { Recording, RecordingError } from "./recording.js";
import { Strip } from "./strip.js";
import { json, srt, txt, vtt } from "./subtitles.js";
import * as kept from "./transcript.js";
import * as view from "./view.js";
import { written } from "./words.js";

const $ = (id) => document.getElementById(id);
const { websocket, auth } = document.documentElement.dataset;
const address = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${websocket}`;
const service = { address, base: `${location.origin}${websocket.replace(/ws\/stt$/, "")}`, keyed: auth === "required" };
const DEAF = ["micInterrupted", "micMuted", "deaf"];
const FILES = { txt: ["text/plain", txt], srt: ["application/x-subrip", srt], vtt: ["text/vtt", vtt], json: ["application/json", json] };
const strip = new Strip($("strip"));
const talk = $("talk");
const samples = [...document.querySelectorAll(".sample")];

let current = null;
let phase = "idle";
let speaking = false;
let hindrance = null; // what keeps the service from hearing, by its name in texts.js

/** A session with a source. `known` is what programs.js is told of it; `own` are options that are not the form's. */
async function converse(source, known, own = {}) {
  if (current) return;
  notice.hide();
  const recording = source instanceof Recording ? source : null;
  let resumes = null;
  const retry = () => {
    if (resumes !== null) kept.again(resumes);
    view.showAll(kept.transcript.finals);
    converse(recording ?? new Microphone(), known, own);
  };
  if (options.keyMissing()) {
    notice.show("keyWanted", {}, retry);
    options.askForKey();
    return;
  }
  const key = options.apiKey();
  const config = { ...options.config(), ...own };
  const begin = { offset: kept.transcript.offset, at: recording?.sentMs ?? 0 };
  open(source, config, recording);
  programs.show(service, config, known);
  const ticking = setInterval(elapse, 250);
  try {
    const outcome = await current.run(address, key, config);
    await explain(outcome, key, retry, source);
    resumes = close(begin, recording, outcome);
  } catch (error) {
    resumes = close(begin, recording);
    complain(error, retry);
  } finally {
    clearInterval(ticking);
  }
}

function open(source, config, recording) {
  current = new Conversation(source, hears(kept.transcript.offset));
  strip.follow(current.timeline);
  messages.begin();
  options.inSession(config);
  progress.follow(recording);
  view.settle(Boolean(recording));
}

/** A session is over: what of it is kept; returns at which offset its recording would go on. */
function close(begin, recording, outcome = null) {
  const { timeline, answeredMs } = current;
  const whole = outcome?.kind === "ended" && ["completed", "cancelled"].includes(outcome.reason);
  for (const heard of partials.take()) if (!whole) leave(heard, begin.offset);
  recording?.rewind(whole ? 0 : begin.at + answeredMs);
  store(kept.advance(begin.offset + timeline.ms / 1000));
  elapse();
  current = null;
  notice.hide(hindrance);
  hindrance = null;
  strip.rest();
  progress.follow(null);
  options.inSession(null);
  view.settle();
  return recording && begin.offset + answeredMs / 1000;
}

/** What a conversation tells, on the page. */
function hears(offset) {
  return {
    phase: enter,
    wire: messages.note,
    configured: options.configured,
    hindered: hinder,
    vad: (now) => {
      speaking = now;
      read();
    },
    partial: (message, start, lang) => view.showPartial(message, start / 1000, lang),
    final: (message, start, latency, lang) => add(message, offset + start / 1000, latency, lang),
    again: (resumed) => {
      speaking = false;
      partials.wait(resumed);
      read();
    },
    trouble: (name, segment) => {
      notice.show(name);
      for (const heard of segment ? partials.take(segment) : []) leave(heard, offset);
    },
  };
}

async function explain(outcome, key, retry, source) {
  if (outcome.kind === "ended") {
    if (outcome.reason === "timeout" || outcome.reason === "error") notice.show(outcome.reason, {}, retry);
    else if (outcome.reason === "operator") notice.show("operator");
    else if (source.lost) notice.show("micLost", {}, retry);
  } else if (outcome.kind === "dropped") {
    notice.show("dropped", {}, retry);
  } else {
    const reason = await diagnose(outcome, key);
    notice.show(reason, outcome, retry, outcome.retry_after_ms ?? 0);
    if (reason.startsWith("key")) options.askForKey();
  }
}

function complain(error, retry) {
  if (error instanceof MicrophoneError) {
    const hopeless = ["insecure", "unsupported"].includes(error.reason);
    const name = hopeless ? error.reason : `mic${error.reason[0].toUpperCase()}${error.reason.slice(1)}`;
    notice.show(name, {}, hopeless ? null : retry);
  } else if (error instanceof RecordingError) {
    if (error.cause instanceof TypeError) notice.show("unreachable", {}, retry); // a sample that was not fetched
    else notice.show("badFile", { name: error.message });
  } else if (error.name === "SyntaxError") {
    notice.show("keyImpossible", {}, retry);
    options.askForKey();
  } else {
    throw error;
  }
}

/** Something is in the way of what is said, or no longer; then nothing was heard for so long. */
function hinder(name, deafMs) {
  notice.hide(hindrance);
  hindrance = name;
  if (name) notice.show(name, {}, name === "micInterrupted" ? () => current.resume() : null);
  else if (deafMs) notice.show("back", { time: duration(deafMs) });
  read();
}

function add(message, start, latency, lang) {
  const { segment_id: segment, confidence, timing } = message;
  const { text, words } = written(message);
  const duration = message.audio_duration_ms / 1000;
  keep({ segment, text, words, start, duration, confidence, timing, latency, lang });
}

/** Of an utterance that will have no final, what was heard of it. */
function leave({ segment, text, start, end, lang }, offset) {
  keep({ segment, text, words: [], start: offset + start, duration: end - start, lang, unfinished: true });
}

function keep(final) {
  store(kept.add(final));
  view.showFinal(final);
  tools();
}

/** The tab has room for so much; what is on the page is there all the same. */
function store(done) {
  if (!done) notice.show("notKept");
}

function enter(name) {
  phase = name;
  speaking = false;
  $("file").disabled = name !== "idle";
  for (const sample of samples) sample.setAttribute("aria-disabled", name !== "idle");
  read();
}

/** The button, and what is heard, in words. */
function read() {
  const labels = { idle: "talk", connecting: "connecting", live: "stop", finishing: "finishing" };
  const vad = phase !== "live" ? "off" : heard(hindrance);
  talk.dataset.phase = phase;
  talk.setAttribute("aria-disabled", phase === "connecting");
  $("talk-label").textContent = t(labels[phase]);
  $("vad").dataset.state = vad;
  $("vad").textContent = t({ off: "vadOff", silence: "vadSilence", speech: "vadSpeech", deaf: "vadDeaf", away: "vadAway" }[vad]);
}

function heard(hindrance) {
  if (DEAF.includes(hindrance)) return "deaf";
  if (hindrance === "away") return "away";
  return speaking ? "speech" : "silence";
}

function elapse() {
  $("elapsed").textContent = clock(current.timeline.ms);
  progress.update();
}

function tools() {
  for (const button of document.querySelectorAll(".tools button")) button.disabled = !kept.transcript.finals.length;
}

function say(chosen) {
  if (chosen) speak(chosen);
  else translate();
  options.translate();
  notice.translate();
  messages.draw();
  progress.update();
  read();
  view.showAll(kept.transcript.finals);
  document.body.dataset.drop = t("drop");
  for (const button of document.querySelectorAll(".tongues button")) button.setAttribute("aria-pressed", button.value === language);
}

function transcribe(file) {
  if (!file) return;
  $("transcript-title").scrollIntoView({ block: "nearest" });
  converse(new Recording(file), { kind: "file", name: file.name });
}

/** A recording of ours: heard as it is spoken, in its language. */
async function play({ dataset: { url, name, lang } }) {
  if (current) return;
  $("transcript-title").scrollIntoView({ block: "nearest" });
  const at = new URL(url, location.href).href;
  const source = { name, arrayBuffer: async () => (await fetch(at)).arrayBuffer() };
  await converse(new Recording(source, true), { kind: "sample", name, url: at }, { lang_code: lang });
}

talk.addEventListener("click", () => {
  if (phase === "idle") converse(new Microphone(), { kind: "microphone" });
  else current.stop();
});
$("file").addEventListener("change", ({ target }) => {
  transcribe(target.files[0]);
  target.value = "";
});
for (const sample of samples) sample.addEventListener("click", () => play(sample));
options.onLanguage((lang) => current?.speak(lang));
copies($("copy"), () => txt(kept.transcript.finals));
for (const [name, [type, write]] of Object.entries(FILES)) {
  $(`save-${name}`).addEventListener("click", () => download(`transcript.${name}`, type, write(kept.transcript.finals)));
}
$("clear").addEventListener("click", () => {
  kept.clear();
  if (!current) kept.advance(0);
  view.showAll(kept.transcript.finals);
  tools();
  talk.focus();
});
for (const button of document.querySelectorAll(".tongues button")) button.addEventListener("click", () => say(button.value));

function dragged(name, hear) {
  addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    hear(event);
    document.body.classList.toggle("dropping", over > 0);
  });
}

let over = 0; // elements a dragged file is over
dragged("dragenter", () => (over += 1));
dragged("dragleave", () => (over -= 1));
dragged("dragover", () => {});
dragged("drop", (event) => {
  over = 0;
  transcribe(event.dataTransfer.files[0]);
});

// What is half said when the page is left is there when it is back.
addEventListener("pagehide", () => {
  if (!current) return;
  for (const heard of partials.take()) leave(heard, kept.transcript.offset);
  kept.advance(kept.transcript.offset + current.timeline.ms / 1000);
});

$("address").textContent = address;
options.wantKey(service.keyed);
programs.show(service, options.config(), { kind: "sample", name: samples[0].dataset.name, url: new URL(samples[0].dataset.url, location.href).href });
say();
tools();

// Brings the parts together: buttons, files, one conversation at a time.

import { clock } from "./clock.js";
import { Conversation } from "./conversation.js";
import { diagnose } from "./diagnosis.js";
import { copy, download } from "./export.js";
import { duration, language, speak, t, translate } from "./i18n.js";
import { Microphone, MicrophoneError } from "./microphone.js";
import * as notice from "./notice.js";
import * as options from "./options.js";
import { Recording, RecordingError } from "./recording.js";
import { Strip } from "./strip.js";
import { srt, txt } from "./subtitles.js";
import * as view from "./view.js";
import { written } from "./words.js";

const $ = (id) => document.getElementById(id);
const address = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${document.documentElement.dataset.websocket}`;
const DEAF = ["micInterrupted", "micMuted", "deaf"];
const strip = new Strip($("strip"));
const talk = $("talk");

let transcript = []; // {segment, text, words, start, duration, confidence, timing, latency, lang}, times in seconds
let offset = 0; // seconds of audio in the sessions before
let current = null;
let phase = "idle";
let speaking = false;
let hindrance = null; // what keeps the service from hearing, by its name in texts.js

async function converse(source) {
  if (current) return;
  notice.hide();
  const key = options.apiKey();
  const config = options.config();
  const lang = config.lang_code;
  const retry = () => converse(source instanceof Recording ? source : new Microphone());
  if (options.keyMissing()) {
    notice.show("keyWanted", {}, retry);
    options.askForKey();
    return;
  }
  current = new Conversation(source, {
    phase: enter,
    vad: (now) => {
      speaking = now;
      read();
    },
    partial: (message) => view.showPartial(message, lang),
    final: (message, start, latency) => add(message, start, latency, lang),
    again: () => {
      speaking = false;
      view.settle();
      read();
    },
    hindered: hinder,
    trouble: (name, segment) => {
      notice.show(name);
      if (segment) view.dropPartial(segment);
    },
  });
  strip.follow(current.timeline);
  const ticking = setInterval(elapse, 250);
  try {
    const outcome = await current.run(address, key, config);
    await explain(outcome, key, retry, source);
  } catch (error) {
    complain(error, retry);
  } finally {
    clearInterval(ticking);
    elapse();
    notice.hide(hindrance);
    hindrance = null;
    strip.rest();
    offset += current.timeline.ms / 1000;
    current = null;
    view.settle();
  }
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
    notice.show("badFile", { name: error.message });
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

function add(message, begin, latency, lang) {
  const { segment_id: segment, confidence, timing } = message;
  const { text, words } = written(message);
  const start = offset + begin / 1000;
  const final = { segment, text, words, start, duration: message.audio_duration_ms / 1000, confidence, timing, latency, lang };
  transcript.push(final);
  view.showFinal(final);
  tools();
}

function enter(name) {
  phase = name;
  speaking = false;
  $("file").disabled = name !== "idle";
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
}

function tools() {
  for (const id of ["copy", "save-txt", "save-srt", "clear"]) $(id).disabled = !transcript.length;
}

function say(chosen) {
  if (chosen) speak(chosen);
  else translate();
  options.translate();
  notice.translate();
  read();
  view.showAll(transcript);
  for (const button of document.querySelectorAll(".tongues button")) button.setAttribute("aria-pressed", button.value === language);
}

function open(file) {
  if (file) converse(new Recording(file));
}

talk.addEventListener("click", () => {
  if (phase === "idle") converse(new Microphone());
  else current.stop();
});
$("file").addEventListener("change", ({ target }) => {
  open(target.files[0]);
  target.value = "";
});
$("copy").addEventListener("click", async () => {
  await copy(txt(transcript));
  $("copy").textContent = t("copied");
  setTimeout(() => ($("copy").textContent = t("copy")), 2000);
});
$("save-txt").addEventListener("click", () => download("transcript.txt", "text/plain", txt(transcript)));
$("save-srt").addEventListener("click", () => download("transcript.srt", "application/x-subrip", srt(transcript)));
$("clear").addEventListener("click", () => {
  transcript = [];
  if (!current) offset = 0;
  view.showAll(transcript);
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
  open(event.dataTransfer.files[0]);
});

$("address").textContent = address;
options.wantKey(document.documentElement.dataset.auth === "required");
say();

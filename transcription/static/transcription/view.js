// The transcript on the page.

import { clock } from "./clock.js";
import { duration, percent, seconds, t } from "./i18n.js";
import { make } from "./make.js";
import * as partials from "./partials.js";
import { receipt } from "./receipt.js";
import { pieces, sureness } from "./words.js";

const finals = document.getElementById("finals");
const pending = document.getElementById("pending");
const spoken = document.getElementById("spoken");
const empty = document.getElementById("empty");
const legend = document.getElementById("legend");
const kept = document.getElementById("kept");

/** An utterance that is still open. */
export function showPartial(message, start, lang) {
  const line = partials.show(message, start, lang);
  empty.hidden = true;
  keepInSight(line);
}

/** Adds a final, and has screen readers say it; or what is left of one. */
export function showFinal(final) {
  partials.drop(final.segment);
  const item = finals.appendChild(render(final));
  spoken.lang = final.lang;
  spoken.textContent = final.text;
  legend.hidden &&= !final.words.length;
  settle();
  keepInSight(item);
}

/** Everything again: in another language of the page, or after clearing. */
export function showAll(transcript) {
  const open = [...finals.querySelectorAll("details")].map((details) => details.open);
  finals.replaceChildren(...transcript.map(render));
  finals.querySelectorAll("details").forEach((details, i) => (details.open = open[i]));
  legend.hidden = !transcript.some((final) => final.words.length);
  settle();
}

/** The first words, where there are no others; `busy`: they are on their way. */
export function settle(busy = false) {
  empty.hidden = busy || finals.childElementCount + pending.childElementCount > 0;
  kept.hidden = !finals.childElementCount;
}

function render(final) {
  const said = make("p", { className: "said", lang: final.lang });
  for (const { text, word } of pieces(final.text, final.words)) {
    const level = word ? sureness(word.probability) : 3;
    said.append(level === 3 ? text : make("span", { className: `sure-${level}`, title: percent(word.probability) }, text));
  }
  if (!final.text) said.append(make("em", {}, t("nothing")));
  const time = make("time", { className: "figure" }, clock(final.start * 1000));
  const below = final.unfinished ? make("p", { className: "hint" }, t("unfinished")) : details(final);
  return make("li", { className: final.unfinished ? "unfinished" : "" }, time, make("div", {}, said, below));
}

function details(final) {
  const shown = make("details", {}, make("summary", { className: "figure" }, summary(final)));
  const fill = () => [receipt(final), ...(final.words.length ? [table(final.words, final.lang)] : [])];
  shown.addEventListener("toggle", () => shown.childElementCount > 1 || shown.append(...fill()));
  return shown;
}

/** How long somebody waited; of a recording, which is sent faster than it was spoken, how long the service took. */
function summary({ latency, timing, duration: length }) {
  if (!latency) return t("served", { time: duration(timing.server_total_ms), length: duration(length * 1000) });
  const { afterSpeech, afterEnd } = latency;
  return afterSpeech === null
    ? t("afterEnd", { time: duration(afterEnd) })
    : t("afterSpeech", { time: duration(afterSpeech) });
}

function table(words, lang) {
  const head = ["word", "from", "to", "probability"].map((name) => make("th", { scope: "col" }, t(name)));
  const rows = words.map((word) =>
    make(
      "tr",
      {},
      make("td", { lang }, word.word),
      ...[seconds(word.start), seconds(word.end), percent(word.probability)].map((text) => make("td", { className: "figure" }, text)),
    ),
  );
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}

/** Follows the text, unless the reader has gone elsewhere. */
function keepInSight(element) {
  const { top } = element.getBoundingClientRect();
  if (top > 0 && top < innerHeight + element.offsetHeight) element.scrollIntoView({ block: "nearest" });
}

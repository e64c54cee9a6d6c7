// The transcript on the page.

import { clock } from "./clock.js";
import { duration, percent, seconds, t } from "./i18n.js";
import { make } from "./make.js";
import { pieces, sureness } from "./words.js";

const finals = document.getElementById("finals");
const pending = document.getElementById("pending");
const spoken = document.getElementById("spoken");
const empty = document.getElementById("empty");
const legend = document.getElementById("legend");

/** An utterance that is still open: what later partials keep, dark; the rest, grey. */
export function showPartial({ segment_id, text, stable_text: stable = "" }, lang) {
  const known = pending.querySelector(`[data-segment="${CSS.escape(segment_id)}"]`);
  const line = known ?? pending.appendChild(make("p", { className: "partial", lang }));
  line.dataset.segment = segment_id;
  const sure = text.startsWith(stable) ? stable : "";
  line.replaceChildren(make("span", { className: "stable" }, sure), make("span", { className: "unstable" }, text.slice(sure.length)));
  empty.hidden = true;
  keepInSight(line);
}

/** Takes away the partial of a segment, or all of them. */
export function dropPartial(segment_id) {
  for (const line of [...pending.children]) if (!segment_id || line.dataset.segment === segment_id) line.remove();
}

/** Adds a final, and has screen readers say it. */
export function showFinal(final) {
  dropPartial(final.segment);
  const item = finals.appendChild(render(final));
  spoken.lang = final.lang;
  spoken.textContent = final.text;
  empty.hidden = true;
  legend.hidden &&= !final.words.length;
  keepInSight(item);
}

/** Everything again: in another language of the page, or after clearing. */
export function showAll(transcript) {
  const open = [...finals.querySelectorAll("details")].map((details) => details.open);
  finals.replaceChildren(...transcript.map(render));
  finals.querySelectorAll("details").forEach((details, i) => (details.open = open[i]));
  legend.hidden = !transcript.some((final) => final.words.length);
  empty.hidden = finals.childElementCount + pending.childElementCount > 0;
}

/** Nothing more comes for now. */
export function settle() {
  dropPartial();
  empty.hidden = finals.childElementCount > 0;
}

function render(final) {
  const said = make("p", { className: "said", lang: final.lang });
  for (const { text, word } of pieces(final.text, final.words)) {
    const level = word ? sureness(word.probability) : 3;
    said.append(level === 3 ? text : make("span", { className: `sure-${level}`, title: percent(word.probability) }, text));
  }
  if (!final.text) said.append(make("em", {}, t("nothing")));
  const time = make("time", { className: "figure" }, clock(final.start * 1000));
  const details = make("details", {}, make("summary", { className: "figure" }, summary(final)));
  details.addEventListener("toggle", () => details.childElementCount > 1 || details.append(...figures(final)));
  return make("li", {}, time, make("div", {}, said, details));
}

function summary({ latency }) {
  if (!latency) return t("details");
  const { afterSpeech, afterEnd } = latency;
  return afterSpeech === null
    ? t("afterEnd", { time: duration(afterEnd) })
    : t("afterSpeech", { time: duration(afterSpeech) });
}

function figures({ latency, timing, confidence, words, lang }) {
  const rows = [];
  if (latency?.afterSpeech != null) rows.push(["wait", duration(latency.afterSpeech - latency.afterEnd)]);
  if (latency) rows.push(["delivery", duration(latency.afterEnd)]);
  rows.push(["queue", duration(timing.queue_wait_ms)]);
  rows.push(["prepare", duration(timing.preprocess_ms)]);
  rows.push(["infer", duration(timing.inference_ms)]);
  rows.push(["post", duration(timing.postprocess_ms)]);
  rows.push(["total", duration(timing.server_total_ms)]);
  rows.push(["confidence", percent(confidence)]);
  const list = make("dl", {}, ...rows.map(([name, value]) => make("div", {}, make("dt", {}, t(name)), make("dd", { className: "figure" }, value))));
  const ahead = latency && timing.server_total_ms > latency.afterEnd + 50;
  const shown = ahead ? [list, make("p", { className: "hint" }, t("ahead"))] : [list];
  return words.length ? [...shown, table(words, lang)] : shown;
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

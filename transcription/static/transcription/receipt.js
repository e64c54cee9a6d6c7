// Where the time of a final went: bars to one scale, and the figures they are made of.

import { duration, percent, t } from "./i18n.js";
import { make } from "./make.js";

const AHEAD_MS = 50; // a server that took so much longer than the answer did began before the utterance was over

/**
 * What a person waited for, where anybody did (`latency`), and the server's part in it (`timing`): elements.
 * The server's part is inside the wait, so that its figures are not to be added to the others.
 */
export function receipt({ latency, timing, confidence }) {
  const waited = latency && [
    ...(latency.afterSpeech === null ? [] : [["wait", latency.afterSpeech - latency.afterEnd]]),
    ["delivery", latency.afterEnd],
  ];
  const served = [
    ["queue", timing.queue_wait_ms],
    ["prepare", timing.preprocess_ms],
    ["infer", timing.inference_ms],
    ["post", timing.postprocess_ms],
  ];
  const scale = Math.max(sum(waited ?? []), timing.server_total_ms);
  const ahead = latency && timing.server_total_ms > latency.afterEnd + AHEAD_MS;
  const groups = [group("total", timing.server_total_ms, served, scale, ahead && t("ahead"))];
  if (waited) groups.unshift(group(latency.afterSpeech === null ? "afterEndTotal" : "afterSpeechTotal", sum(waited), waited, scale));
  return make("div", { className: "receipt" }, ...groups, make("dl", {}, row("confidence", percent(confidence))));
}

function group(name, ms, parts, scale, hint) {
  const bar = make("div", { className: "bar", ariaHidden: "true" }, ...parts.map(([part]) => make("span", { className: part })));
  parts.forEach(([, value], i) => (bar.children[i].style.width = `${(100 * value) / scale}%`));
  const list = make("dl", {}, row(name, duration(ms), "sum"), ...(parts.length > 1 ? parts : []).map(([part, value]) => row(part, duration(value), part)));
  return make("section", {}, bar, list, ...(hint ? [make("p", { className: "hint" }, hint)] : []));
}

function row(name, value, className = "") {
  return make("div", { className }, make("dt", {}, t(name)), make("dd", { className: "figure" }, value));
}

function sum(parts) {
  return parts.reduce((all, [, ms]) => all + ms, 0);
}

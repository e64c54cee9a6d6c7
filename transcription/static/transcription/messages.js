// The raw messages of a session, for who opens them.

import { copies } from "./export.js";
import { seconds, t } from "./i18n.js";
import { make } from "./make.js";

const KEPT = 500; // the last ones; frames of audio that follow each other are one

const panel = document.getElementById("messages");
const frame = document.getElementById("messages-frame");
const list = document.getElementById("messages-list");
const none = document.getElementById("messages-none");
let entries = []; // {at, way, message} or {at, way, frames, bytes}; `at` in ms from the first
let began = null;

/** A session begins: what was said in the one before goes. */
export function begin() {
  entries = [];
  began = null;
  draw();
}

/** `way`: "sent" or "received"; `what`: a message, or bytes of audio. */
export function note(way, what) {
  const now = performance.now();
  began ??= now;
  const last = entries.at(-1);
  if (typeof what !== "number") add({ at: now - began, way, message: what });
  else if (last?.frames) {
    last.frames += 1;
    last.bytes += what;
    if (panel.open) list.lastElementChild?.replaceWith(line(last));
  } else add({ at: now - began, way, frames: 1, bytes: what });
}

/** All again, in the language of the page. */
export function draw() {
  none.hidden = entries.length > 0;
  frame.hidden = !entries.length;
  list.replaceChildren(...(panel.open ? entries.map(line) : []));
}

function add(entry) {
  entries.push(entry);
  if (entries.length > KEPT) entries.shift();
  if (!panel.open) return;
  none.hidden = true;
  frame.hidden = false;
  const below = frame.scrollHeight - frame.scrollTop - frame.clientHeight;
  list.append(line(entry));
  if (list.childElementCount > KEPT) list.firstElementChild.remove();
  if (below < 8) frame.scrollTop = frame.scrollHeight; // who has scrolled up is reading
}

function line(entry) {
  const arrow = make("span", { className: `way ${entry.way}`, ariaHidden: "true" }, entry.way === "sent" ? "→" : "←");
  const way = make("span", { className: "hidden" }, t(entry.way));
  return make("li", {}, make("time", { className: "figure" }, seconds(entry.at / 1000)), arrow, way, make("code", {}, said(entry)));
}

function said({ message, frames, bytes }) {
  return message ? JSON.stringify(message) : t("audioFrames", { frames, bytes });
}

panel.addEventListener("toggle", () => {
  draw();
  frame.scrollTop = frame.scrollHeight;
});
copies(document.getElementById("copy-messages"), () =>
  entries.map((entry) => `${seconds(entry.at / 1000)} ${entry.way === "sent" ? "→" : "←"} ${said(entry)}\n`).join(""),
);

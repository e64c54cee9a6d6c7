// The live page: shows what transcription/audit/live.py sends, about once a second. Text is only ever set as text.

import { clock } from "./clock.js";
import { make } from "./make.js";

const page = document.getElementById("content-main");
const connection = document.getElementById("connection");
const cluster = document.getElementById("cluster");
const sessions = document.getElementById("sessions");
const workers = document.getElementById("workers");
const showsText = document.querySelector("th.transcript") !== null;
const texts = JSON.parse(document.getElementById("texts").textContent); // transcription/audit/pages.py
const LOST = { 4401: texts.notLoggedIn, 4403: texts.notPermitted };
const SOONEST_MS = 1000;
const LATEST_MS = 15000;

let waitMs = SOONEST_MS;

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${page.dataset.socket}`);
  socket.addEventListener("message", ({ data }) => {
    waitMs = SOONEST_MS;
    show(JSON.parse(data));
  });
  socket.addEventListener("close", ({ code }) => {
    connection.textContent = LOST[code] ?? texts.trying;
    if (!(code in LOST)) setTimeout(connect, waitMs);
    waitMs = Math.min(waitMs * 2, LATEST_MS);
  });
}

function show(picture) {
  connection.textContent = picture.error ?? `${texts.live}, ${new Date().toLocaleTimeString(document.documentElement.lang)}`;
  const facts = Object.entries(picture.cluster);
  cluster.replaceChildren(...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  fill(sessions, picture.sessions.map(session), texts.noSession);
  fill(workers, picture.workers.map(worker), texts.noWorker);
}

function fill(body, rows, nothing) {
  const shown = rows.length ? rows : [[make("td", { colSpan: 12 }, nothing)]];
  body.replaceChildren(...shown.map((cells) => make("tr", {}, ...cells)));
}

function session({ uid, session_id, client, language, audio_ms, segments, talking, text }) {
  const link = make("a", { href: `${page.dataset.sessionUrl}?q=${encodeURIComponent(uid)}` }, session_id);
  const cells = [link, client, language, clock(audio_ms), segments, talking ? texts.speaking : "–"].map(cell);
  return showsText ? [...cells, make("td", { className: "transcript" }, text ?? "")] : cells;
}

function worker({ worker_id, model, compute_type, device, running, load, batch_size, avg_partial_ms, avg_final_ms }) {
  const named = `${model} (${compute_type})`;
  return [worker_id, named, device, running, load, batch_size, avg_partial_ms, avg_final_ms].map(cell);
}

function cell(content) {
  return make("td", {}, content);
}

connect();

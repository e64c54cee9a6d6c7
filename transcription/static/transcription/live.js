// The live page: shows what transcription/live.py sends, about once a second. Text is only ever set as text.
"use strict";

(() => {
  const page = document.getElementById("content-main");
  const connection = document.getElementById("connection");
  const tables = { sessions: document.getElementById("sessions"), workers: document.getElementById("workers") };
  const cluster = document.getElementById("cluster");
  const showsText = document.querySelector("th.transcript") !== null;
  const LOST = { 4401: "Log in again to watch.", 4403: "Watching is not permitted any more." };
  let waitMs = 1000;

  function cell(content, tag = "td", className = "") {
    const element = document.createElement(tag);
    element.append(content);
    if (className) element.className = className;
    return element;
  }

  function fill(body, rows, nothing) {
    if (!rows.length) {
      const none = cell(nothing);
      none.colSpan = 12;
      rows = [[none]];
    }
    body.replaceChildren(...rows.map((cells) => {
      const row = document.createElement("tr");
      row.append(...cells);
      return row;
    }));
  }

  function clock(ms) {
    const seconds = Math.floor(ms / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  function session(report) {
    const link = document.createElement("a");
    link.href = `${page.dataset.sessionUrl}?q=${encodeURIComponent(report.uid)}`;
    link.textContent = report.session_id;
    const cells = [
      cell(link), cell(report.client), cell(report.language), cell(clock(report.audio_ms)), cell(String(report.segments)),
      cell(report.talking ? "speaking" : "–"),
    ];
    if (showsText) cells.push(cell(report.text ?? "", "td", "transcript"));
    return cells;
  }

  function worker(w) {
    return [
      w.worker_id, `${w.model} (${w.compute_type})`, w.device, w.running, w.load, w.batch_size, w.avg_partial_ms, w.avg_final_ms,
    ].map((value) => cell(String(value)));
  }

  function show(picture) {
    connection.textContent = picture.error ?? `Live, ${new Date().toLocaleTimeString()}`;
    cluster.replaceChildren(...Object.entries(picture.cluster).map(([name, value]) => {
      const item = document.createElement("div");
      item.append(cell(name, "dt"), cell(String(value), "dd"));
      return item;
    }));
    fill(tables.sessions, picture.sessions.map(session), "No session is live.");
    fill(tables.workers, picture.workers.map(worker), "No worker has been heard of in the last seconds.");
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/admin/live`);
    socket.onmessage = (event) => { waitMs = 1000; show(JSON.parse(event.data)); };
    socket.onclose = (event) => {
      connection.textContent = LOST[event.code] ?? "Not connected; trying again …";
      if (!(event.code in LOST)) setTimeout(connect, waitMs);
      waitMs = Math.min(waitMs * 2, 15000);
    };
  }

  connect();
})();

// Runs one of other services' SDKs, unchanged but for its address; test_javascript.py is at the other end.
//
//   node listen.mjs '{"client", "address", "key", "file", "loop"?}'
//
// It asks for an end where nothing was said, plays a WAV file (16-bit PCM, 24 kHz) in real time, asks for an end again, and
// prints each message as a line of JSON; a close as {"type": "close", "code"}, an error as {"type": "error", "message"}.

import { createReadStream, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { DeepgramClient } from "@deepgram/sdk";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const RATE = 24_000;
const HEADER = 44;
const PIECE = RATE / 10; // bytes of 50 ms

const { client, address, key, file, loop } = JSON.parse(process.argv[2]);
const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const fail = (error) => tell({ type: "error", message: error.message, status: error.status, code: error.code });

async function speak(send) {
  const pcm = readFileSync(file).subarray(HEADER);
  do {
    const began = performance.now();
    for (let at = 0; at < pcm.length; at += PIECE) {
      await sleep(Math.max(began + at / PIECE * 50 - performance.now(), 0));
      send(pcm.subarray(at, at + PIECE));
    }
  } while (loop);
}

const environment = {
  base: `http://${address}`, production: `ws://${address}`, agent: `ws://${address}`, agentRest: `http://${address}`,
};
const raw = { encoding: "linear16", sample_rate: RATE, reconnectAttempts: loop ? 5 : 0 };

async function deepgram(connection, end) {
  let answered;
  connection.on("message", (message) => {
    tell(message);
    if (message.from_finalize || message.event === "EndOfTurn") answered?.();
  });
  connection.on("close", ({ code, reason }) => tell({ type: "close", code, reason }));
  connection.on("error", fail);
  connection.connect();
  await connection.waitForOpen();
  end();
  await speak((piece) => {
    // between two connections there is none to send to
    if (connection.readyState === WebSocket.OPEN) connection.sendMedia(piece);
  });
  const answer = new Promise((resolve) => { answered = resolve; });
  end();
  await answer;
  connection.sendCloseStream({ type: "CloseStream" });
}

const clients = {
  async deepgram() {
    const { listen } = new DeepgramClient({ apiKey: key, environment });
    const connection = await listen.v1.connect({
      ...raw, model: "nova-3", language: "pt-BR", interim_results: "true", vad_events: "true",
    });
    await deepgram(connection, () => connection.sendFinalize({ type: "Finalize" }));
  },

  async flux() {
    const { listen } = new DeepgramClient({ apiKey: key, environment });
    const connection = await listen.v2.connect({ ...raw, model: "flux-general-multi", language_hint: "pt" });
    await deepgram(connection, () => connection.sendForceEndTurn({ type: "ForceEndTurn" }));
  },

  async realtime() {
    const openai = new OpenAI({ baseURL: `https://${address}/v1`, apiKey: key }); // it knows TLS only
    const connection = new OpenAIRealtimeWS({ intent: "transcription" }, openai);
    const commit = () => connection.send({ type: "input_audio_buffer.commit" });
    connection.socket.on("close", (code, reason) => {
      tell({ type: "close", code, reason: reason.toString() });
      process.exit();
    });
    connection.on("error", fail);
    connection.on("event", tell);
    connection.on("session.created", () => connection.send({
      type: "session.update",
      session: {
        type: "transcription",
        audio: {
          input: {
            format: { type: "audio/pcm", rate: RATE },
            transcription: { model: "whisper-1", language: "pt" },
            turn_detection: loop ? { type: "server_vad" } : null,
          },
        },
      },
    }));
    connection.on("conversation.item.input_audio_transcription.completed", () => loop || connection.close());
    connection.on("session.updated", async () => {
      if (!loop) commit();
      await speak((piece) => {
        if (connection.socket.readyState !== WebSocket.OPEN) return; // closing: what is told of it is still to come
        connection.send({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
      });
      commit();
    });
  },

  async files() {
    const openai = new OpenAI({ baseURL: `http://${address}/v1`, apiKey: key, maxRetries: 0 });
    const { data } = await openai.models.list();
    tell({ type: "models", ids: data.map((model) => model.id) });
    const asked = { model: "whisper-1", language: "pt", file: createReadStream(file) };
    tell({ type: "json", ...await openai.audio.transcriptions.create(asked) });
    const stream = await openai.audio.transcriptions.create({ ...asked, file: createReadStream(file), stream: true });
    for await (const event of stream) tell(event);
  },
};

await clients[client]().catch(fail);

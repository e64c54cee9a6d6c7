// What was just done, as programs: each runs as it stands, against this very service.

/**
 * `[[name, text]]`. `service`: {address, base, keyed}, the WebSocket and the service's own URL, and whether it wants a key, which
 * programs take from the environment as STT_API_KEY. `config`: of start_session. `source`: {kind: "microphone"},
 * {kind: "file", name} or {kind: "sample", name, url}.
 */
export function programs(service, config, source) {
  return [
    ["curl", curl(service, config, source)],
    ["Python", python(service, config, source)],
    ["JavaScript", source.kind === "microphone" ? browser(service, config) : javascript(service, config, source)],
    ["LiveKit", livekit(service, config)],
  ];
}

function curl({ base, keyed }, config, source) {
  const name = source.kind === "microphone" ? "talk.wav" : source.name;
  const got = {
    microphone: "arecord -q -d 5 -f S16_LE -r 16000 -c 1 talk.wav   # five seconds of the microphone\n",
    sample: `curl -s -o ${shell(name)} ${shell(source.url)}\n`,
    file: "",
  };
  const lines = [
    `curl -s ${shell(`${base}v1/audio/transcriptions`)}`,
    ...(keyed ? ['-H "Authorization: Bearer $STT_API_KEY"'] : []),
    `-F language=${config.lang_code} -F model=whisper-1`, // before the file, which is then read as it comes in
    ...(config.word_timestamps ? ["-F response_format=verbose_json -F 'timestamp_granularities[]=word'"] : []),
    `-F ${shell(`file=@"${name.replace(/["\\]/g, "\\$&")}"`)}`,
  ];
  return `${got[source.kind]}${lines.join(" \\\n  ")}\n`;
}

function python({ address, keyed }, config, source) {
  const [how, read] = {
    microphone: ["arecord -q -t raw -f S16_LE -r 16000 -c 1 | python talk.py", "open(0, \"rb\")"],
    sample: [`curl -O ${shell(source.url)}; python talk.py`, `open(${literal(source.name)}, "rb")`],
    file: [`${converted(source)}; python talk.py`, 'open("talk.pcm", "rb")'],
  }[source.kind];
  const header = source.kind === "sample" ? "\n        audio.seek(44)  # behind the WAV header" : "";
  const options = keyed ? `, additional_headers={"Authorization": f"Bearer {os.environ['STT_API_KEY']}"}` : "";
  return `# pip install websockets
# ${how}
import asyncio, json, ${keyed ? "os, " : ""}sys, websockets

CONFIG = {
${Object.entries(config).map(([name, value]) => `    ${literal(name)}: ${literal(value)},\n`).join("")}}


async def speak(ws):
    with ${read} as audio:  # 16-bit samples, 16 kHz, mono${header}
        while chunk := await asyncio.to_thread(audio.read, 640):  # 20 ms
            await ws.send(chunk)
            await asyncio.sleep(${source.kind === "microphone" ? "0" : "0.02"})
    await ws.send(json.dumps({"type": "end_session"}))


async def main():
    url = ${literal(address)}
    async with websockets.connect(url${options}) as ws, asyncio.TaskGroup() as tasks:
        await ws.send(json.dumps({"type": "start_session", "config": CONFIG}))
        async for raw in ws:
            message = json.loads(raw)
            print(message["type"], message.get("text") or message.get("message") or "")
            if message["type"] == "session_started":
                tasks.create_task(speak(ws))
            elif message["type"] == "error" and not message.get("segment_id"):
                sys.exit(1)


asyncio.run(main())
`;
}

function javascript({ address, keyed }, config, source) {
  const audio =
    source.kind === "sample"
      ? `// node talk.mjs (Node 22 or newer)
const wav = await (await fetch(${literal(source.url)})).arrayBuffer();
const audio = new Uint8Array(wav, 44); // behind the header: 16-bit samples, 16 kHz, mono`
      : `// ${converted(source)}; node talk.mjs (Node 22 or newer)
import { readFile } from "node:fs/promises";

const audio = await readFile("talk.pcm"); // 16-bit samples, 16 kHz, mono`;
  const key = keyed ? ', ["whisper-stt", `bearer.${process.env.STT_API_KEY}`]' : "";
  return `${audio}
const config = ${JSON.stringify(config, null, 2)};
const ws = new WebSocket(${literal(address)}${key});

ws.onopen = () => ws.send(JSON.stringify({ type: "start_session", config }));
ws.onmessage = async ({ data }) => {
  const message = JSON.parse(data);
  console.log(message.type, message.text ?? message.message ?? "");
  if (message.type === "error" && !message.segment_id) ws.close();
  if (message.type !== "session_started") return;
  for (let at = 0; at < audio.length; at += 640) {
    ws.send(audio.subarray(at, at + 640)); // 20 ms
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  ws.send(JSON.stringify({ type: "end_session" }));
};
`;
}

function browser({ address, keyed }, config) {
  const key = keyed ? ', ["whisper-stt", `bearer.${prompt("API key")}`]' : "";
  return `// In a page that came over HTTPS or from localhost. Of another host: list it in STT_ALLOWED_ORIGINS
const config = ${JSON.stringify(config, null, 2)};
const ws = new WebSocket(${literal(address)}${key});

ws.onopen = () => ws.send(JSON.stringify({ type: "start_session", config }));
ws.onmessage = async ({ data }) => {
  const message = JSON.parse(data);
  console.log(message.type, message.text ?? message.message ?? "");
  if (message.type === "session_started") await listen();
};

async function listen() {
  const pcm = (sample) => 32767 * Math.max(-1, Math.min(1, sample));
  const processor = \`registerProcessor("pcm", class extends AudioWorkletProcessor {
    process([[heard]]) {
      if (heard) this.port.postMessage(Int16Array.from(heard, \${pcm}));
      return true;
    }
  })\`;
  const context = new AudioContext({ sampleRate: 16000 });
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([processor], { type: "text/javascript" })));
  const node = new AudioWorkletNode(context, "pcm");
  node.port.onmessage = ({ data }) => ws.send(data);
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  context.createMediaStreamSource(microphone).connect(node);
} // ws.send(JSON.stringify({ type: "end_session" })) ends it
`;
}

function livekit({ address, keyed }, config) {
  const options = {
    service_url: address,
    language: config.lang_code,
    vad_threshold: config.vad_threshold,
    interim_results: config.partial_results,
    word_timestamps: config.word_timestamps,
    ...(config.format === "off" ? {} : { text_format: config.format }),
  };
  return `# pip install ./clients/livekit_plugin, from a checkout${keyed ? ". It takes the key from STT_API_KEY" : ""}
from livekit.agents import AgentSession
from livekit.plugins.whisper_stt import WhisperSTT

stt = WhisperSTT(
${Object.entries(options).map(([name, value]) => `    ${name}=${literal(value)},\n`).join("")})
session = AgentSession(stt=stt, turn_handling={"turn_detection": "stt"})  # and your llm and tts
`;
}

function converted({ name }) {
  return `ffmpeg -i ${shell(name)} -f s16le -ac 1 -ar 16000 talk.pcm`;
}

/** A word of a shell, whatever is in it. Names of files have no line breaks that a comment could end with. */
function shell(text = "") {
  const line = text.replace(/[\r\n]/g, " ");
  return /^[\w@%+=:,./-]+$/.test(line) ? line : `'${line.replaceAll("'", "'\\''")}'`;
}

/** Text, a number or a truth, as Python writes it; text is the same in JavaScript. */
function literal(value) {
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value);
}

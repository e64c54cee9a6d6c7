// How far a recording is.

import { clock } from "./clock.js";
import { percent, t } from "./i18n.js";

const box = document.getElementById("progress");
const name = document.getElementById("progress-name");
const bar = document.getElementById("progress-bar");
const text = document.getElementById("progress-text");
let source = null;

/** Follows a recording; null: there is none any more. */
export function follow(recording) {
  source = recording;
  box.hidden = !source;
  if (source) update();
}

/** As it is now, in the language of the page. */
export function update() {
  if (!source) return;
  const { ms, sentMs } = source;
  const share = ms ? sentMs / ms : 0;
  name.textContent = source.name;
  if (ms) bar.value = share;
  else bar.removeAttribute("value"); // it is being decoded: nobody knows
  if (!ms) text.textContent = t("decoding");
  else if (share === 1) text.textContent = t("lastWords", { all: clock(ms) });
  else text.textContent = t("progress", { now: clock(sentMs), all: clock(ms), share: percent(share) });
}

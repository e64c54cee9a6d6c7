// What went wrong, in words, with what to do about it.

import { t } from "./i18n.js";

const notice = document.getElementById("notice");
const text = document.getElementById("notice-text");
const again = document.getElementById("again");
let shown = null;
let waiting;

document.getElementById("dismiss").addEventListener("click", () => hide());

/** Shows a text of texts.js; with `retry`, a button for it, enabled after so many ms. */
export function show(name, values = {}, retry = null, after = 0) {
  shown = { name, values };
  translate();
  notice.hidden = false;
  notice.dataset.name = name;
  again.hidden = !retry;
  again.disabled = after > 0;
  again.onclick = retry;
  clearTimeout(waiting);
  waiting = setTimeout(() => (again.disabled = false), after);
}

/** Takes it away; with a name, only if it is that one. */
export function hide(name = shown?.name) {
  if (shown?.name !== name) return;
  shown = null;
  notice.hidden = true;
}

/** In the language of the page as it is now. */
export function translate() {
  if (shown) text.textContent = t(shown.name, shown.values);
}

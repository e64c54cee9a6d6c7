// The language of the page: the browser's, or the one chosen before.

import { TEXTS } from "./texts.js";

const STORED = "language";

export let language = stored() ?? (navigator.languages.some((tag) => tag.startsWith("pt")) ? "pt" : "en");

/** A text, filled in. */
export function t(name, values = {}) {
  return TEXTS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Puts the page into a language. */
export function speak(chosen) {
  language = chosen;
  localStorage.setItem(STORED, chosen);
  translate();
}

/** Elements marked `data-text` get their text, those marked `data-label` their accessible name. */
export function translate() {
  document.documentElement.lang = language === "pt" ? "pt-BR" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
}

/** 1.24 s, 1,24 s; below a second 240 ms. */
export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)}\u00a0ms` : `${seconds(ms / 1000)}\u00a0s`;
}

export function percent(share) {
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** Seconds with two digits. */
export function seconds(value) {
  return new Intl.NumberFormat(locale(), { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value);
}

/** A language's name in the language of the page. */
export function languageName(code) {
  const old = { jw: "jv", iw: "he" }; // Whisper's code for Javanese is not the present one
  return new Intl.DisplayNames([locale()], { type: "language" }).of(old[code] ?? code);
}

export function locale() {
  return language === "pt" ? "pt-BR" : "en";
}

function stored() {
  const chosen = localStorage.getItem(STORED);
  return chosen in TEXTS ? chosen : null;
}

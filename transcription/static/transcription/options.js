// The form: a session's options, and the key.

import { language, languageName, locale, t } from "./i18n.js";

const form = document.getElementById("setup");
const languages = document.getElementById("language");
const threshold = document.getElementById("threshold");
const value = document.getElementById("threshold-value");
const key = document.getElementById("key");
const languageHint = document.getElementById("language-hint");
const optionsHint = document.getElementById("options-hint");
const KEY = "api-key";
let begun = null; // the options the session that is on was started with
let taken = null; // the language it has been told since

form.addEventListener("submit", (event) => event.preventDefault());
threshold.addEventListener("input", translate);
form.addEventListener("change", () => hint());
key.value = sessionStorage.getItem(KEY) ?? "";
key.addEventListener("input", () => sessionStorage.setItem(KEY, key.value.trim()));

/** `config` of start_session. */
export function config() {
  return {
    lang_code: languages.value,
    sample_rate: 16000,
    vad_enabled: true,
    vad_threshold: threshold.valueAsNumber,
    partial_results: document.getElementById("partials").checked,
    word_timestamps: document.getElementById("words").checked,
    format: document.getElementById("formatted").checked ? "pt-BR" : "off",
  };
}

/** A session is on, with that `config`; null: none is. */
export function inSession(config) {
  begun = config;
  taken = null;
  hint();
}

/** The session has taken a language. */
export function configured(lang) {
  taken = lang;
  hint();
}

/** Calls `act(lang)` when another language is chosen. */
export function onLanguage(act) {
  languages.addEventListener("change", () => act(languages.value));
}

/** When what is chosen holds, where that is not at once. */
function hint() {
  languageHint.hidden = !begun;
  languageHint.textContent = taken ? t("languageTaken", { language: languageName(taken) }) : t("languageOn");
  const other = begun && Object.entries(config()).some(([name, value]) => name !== "lang_code" && value !== begun[name]);
  optionsHint.textContent = t(other ? "optionsNext" : begun ? "optionsOn" : "optionsIdle");
}

/** The key, if the service asks for one. */
export function apiKey() {
  return document.getElementById("key-field").hidden ? "" : key.value.trim();
}

/** Whether the service asks for a key and there is none. */
export function keyMissing() {
  return !document.getElementById("key-field").hidden && !key.value.trim();
}

/** Shows the field for the key, or hides it. */
export function wantKey(wanted) {
  document.getElementById("key-field").hidden = !wanted;
}

export function askForKey() {
  wantKey(true);
  key.focus();
}

/** Names and figures in the language of the page. */
export function translate() {
  const chosen = languages.value;
  for (const option of languages.options) option.textContent = languageName(option.value);
  const sorted = [...languages.options].sort((a, b) => a.textContent.localeCompare(b.textContent, language));
  languages.append(...sorted);
  languages.value = chosen;
  value.textContent = new Intl.NumberFormat(locale(), { minimumFractionDigits: 2 }).format(threshold.valueAsNumber);
  hint();
}

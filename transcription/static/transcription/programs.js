// For programs: the code of what was just done.

import { programs } from "./code.js";
import { copies } from "./export.js";
import { make } from "./make.js";

const choice = document.getElementById("code-choice");
const text = document.getElementById("code-text");
let made = []; // [[name, text]]
let chosen = 0;

/** Shows the code of a session; the arguments are those of code.js. */
export function show(service, config, source) {
  made = programs(service, config, source);
  const buttons = made.map(([name], at) => {
    const button = make("button", { type: "button" }, name);
    button.addEventListener("click", () => choose(at));
    return button;
  });
  choice.replaceChildren(...buttons);
  choose(chosen);
}

function choose(at) {
  chosen = at;
  text.textContent = made[at][1];
  [...choice.children].forEach((button, i) => button.setAttribute("aria-pressed", i === at));
}

copies(document.getElementById("copy-code"), () => made[chosen][1]);

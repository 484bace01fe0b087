// Draws what the board sends. Every text goes in as text: none of it is ever read as HTML.
"use strict";
const body = document.body, lesson = document.getElementById("lesson"), lost = document.getElementById("lost");
const forTeacher = body.classList.contains("teacher");
const STANDINGS = [
  ["done", "done", "✓"], ["working", "at work", "…"], ["stuck", "stuck", "!"], ["elsewhere", "elsewhere", "↷"], ["not_begun", "not begun", "○"],
];
const UNNAMED = {
  ran: "the code raises an error", forbidden: "uses a forbidden call", type: "returns another type",
  parameters: "has other parameters", count: "returns another number of values", shape: "returns another shape",
  dtype: "returns another dtype", device: "is on another device", untouched: "changes its input",
  finite: "returns NaN or infinity", values: "wrong numbers, without a name", gradient: "wrong gradients",
  timeout: "takes too long", crashed: "the kernel died",
};

function element(name, {text = "", ...attributes} = {}, ...children) {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function learners(count) {
  return count === 1 ? "1 learner" : `${count} learners`;
}

function bar(parts, total, label) {
  const made = element("div", {class: "bar", role: "img", "aria-label": label});
  for (const [kind, count] of parts) {
    if (!count) continue;
    const part = element("div", {class: `part ${kind}`});
    part.style.width = `${100 * count / Math.max(1, total)}%`;
    made.append(part);
  }
  return made;
}

function standing(state) {
  const counts = state.standing, list = element("ul", {class: "standing"});
  const shown = STANDINGS.filter(([kind]) => counts[kind] || ["done", "working", "stuck"].includes(kind));
  for (const [kind, words, symbol] of shown) {
    list.append(element("li", {class: kind},
      element("span", {class: "count", text: String(counts[kind])}),
      element("span", {class: "words"}, element("span", {"aria-hidden": "true", text: `${symbol} `}), words)));
  }
  const label = shown.map(([kind, words]) => `${counts[kind]} ${words}`).join(", ");
  return [list, bar(STANDINGS.map(([kind]) => [kind, counts[kind]]), state.learners, label)];
}

function trend(state) {
  const done = state.trend, made = element("figure", {class: "trend"}), width = 220, height = 56;
  const minutes = done.length - 1, gained = done[minutes] - done[0];
  made.append(element("figcaption", {text: minutes < 1 ? "" :
    `${gained >= 0 ? "+" : "−"}${Math.abs(gained)} done in the last ${minutes === 1 ? "minute" : `${minutes} minutes`}`}));
  if (minutes < 1) return made;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS(svg.namespaceURI, "polyline");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  const place = (count, at) => `${4 + (width - 8) * at / minutes},${height - 4 - (height - 8) * count / Math.max(1, state.learners)}`;
  line.setAttribute("points", done.map(place).join(" "));
  svg.append(line);
  made.append(svg);
  return made;
}

function mistakes(state) {
  const section = element("section", {class: "mistakes"}, element("h2", {text: "Common now"}));
  if (!state.mistakes.length) {
    section.append(element("p", {class: "soft", text: "Nobody at this exercise has a wrong answer at the moment."}));
    return section;
  }
  const list = element("ol"), most = Math.max(...state.mistakes.map(one => one.learners));
  for (const one of state.mistakes) {
    const named = one.name !== "", count = learners(one.learners);
    const item = element("li", {class: named ? "named" : "unnamed"},
      element("p", {class: "name"},
        element("strong", {text: named ? one.name : UNNAMED[one.stage] || one.stage}),
        element("span", {class: "count", text: ` · ${count}`}),
        element("span", {class: "soft", text: state.trend.length > 10 ? `, ${one.before} ten minutes ago` : ""})),
      bar([["mistake", one.learners]], most, count));
    if (named && one.hint) item.append(element("p", {class: "hint", text: one.hint}));
    list.append(item);
  }
  section.append(list);
  return section;
}

function overview(state) {
  const list = element("ul", {class: "overview"});
  for (const [name, done, here] of state.overview) {
    list.append(element("li", name === state.exercise ? {"aria-current": "true"} : {},
      element("code", {text: name}), bar([["done", done], ["working", here]], state.learners, `${done} done, ${here} at it`),
      element("span", {class: "figure", text: `${done} done, ${here} at it`})));
  }
  return element("section", {}, element("h2", {text: "All exercises begun"}), list);
}

function draw(state) {
  if (!state.exercise) {
    lesson.replaceChildren(element("h1", {text: "Nobody has run a check yet"}),
      element("p", {class: "soft", text: "This page follows the class from its first check on."}));
  } else {
    lesson.replaceChildren(
      element("header", {}, element("div", {}, element("h1", {}, element("code", {text: state.exercise})),
        element("p", {class: "soft", text: `${state.chapter} · ${learners(state.learners)}${state.pinned ? " · chosen by the teacher" : ""}`})), trend(state)),
      ...standing(state),
      element("p", {class: "note", text: `Stuck: no further for ${state.stuck_after} minutes.` +
        (state.standing.elsewhere ? ` Elsewhere: at another exercise, or no check for ${state.away_after} minutes.` : "") +
        (forTeacher || !state.waiting ? "" : ` Waiting for help: ${state.waiting}.`)}),
      mistakes(state), overview(state));
  }
  if (forTeacher) controls(state);
}

// The rest is on the teacher's own page alone.
let sending = 0;  // meanwhile, what the board says of the switch and the choice is what they were before

async function send(action, what) {
  sending += 1;
  try {
    await fetch(`teacher/${action}`, {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(what)});
  } finally {
    sending -= 1;
  }
}

function controls(state) {
  const address = location.href.replace(/\/teacher.*$/, "");
  document.getElementById("how").textContent = state.on_a_hub ?
    "Learners on this hub take part by themselves, others with" : "Learners join with";
  document.getElementById("join").textContent = `check.join("${address}", "${state.code}")`;
  if (!sending) document.getElementById("shown").checked = state.shown_to_learners;
  const choice = document.getElementById("exercise");
  if (choice.options.length === 1) {
    const groups = new Map();
    for (const [name, chapter] of state.exercises) {
      if (!groups.has(chapter)) groups.set(chapter, element("optgroup", {label: chapter}));
      groups.get(chapter).append(element("option", {value: name, text: name}));
    }
    choice.append(...groups.values());
  }
  if (!sending && document.activeElement !== choice) choice.value = state.pinned ? state.exercise : "";
  const calls = document.getElementById("calls"), drawn = JSON.stringify(state.help);
  if (calls.dataset.drawn === drawn) return;  // so that a button does not lose its focus
  calls.dataset.drawn = drawn;
  calls.replaceChildren(...state.help.map(call => {
    const button = element("button", {type: "button", text: "Done"});
    button.addEventListener("click", () => send("answer", {id: call.id}));
    const where = [call.exercise, call.minutes ? `${call.minutes} min` : "now"].filter(Boolean).join(", ");
    return element("li", {}, element("strong", {text: call.name}), element("span", {class: "soft", text: ` ${where} `}), button);
  }));
  if (!state.help.length) calls.append(element("li", {class: "soft none", text: "Nobody is waiting."}));
}

if (forTeacher) {
  document.getElementById("exercise").addEventListener("change", event => send("pin", {exercise: event.target.value}));
  document.getElementById("shown").addEventListener("change", event => send("show", {shown: event.target.checked}));
  const sure = document.getElementById("sure");
  document.getElementById("begin").addEventListener("click", () => sure.showModal());
  document.getElementById("stay").addEventListener("click", () => sure.close());
  document.getElementById("go").addEventListener("click", () => { sure.close(); send("lesson", {}); });
}
const events = new EventSource(body.dataset.events);
events.addEventListener("message", event => { lost.hidden = true; draw(JSON.parse(event.data)); });
events.addEventListener("error", () => { lost.hidden = false; });

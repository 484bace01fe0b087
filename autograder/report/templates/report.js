"use strict";
// Shows one assignment at a time, and filters and sorts the tables. Without this script the page shows everything. It
// never inserts markup.

const all = (root, selector) => [...root.querySelectorAll(selector)];
const names = document.querySelector("#show-names");
const showsNames = () => Boolean(names && names.checked);

// What a reader sees of a learner: the number, or the name.
const calledAs = learner => {
  const who = learner.querySelector(".who");
  return (who.querySelector(showsNames() ? ".name" : ".alias") ?? who).textContent.toLowerCase();
};

for (const article of all(document, "article.assignment")) {
  const bar = article.querySelector(".filters");
  if (!bar) continue;
  const byLearner = bar.querySelector(".by-learner");
  const learners = all(article, ".grid-table tbody");
  const clear = bar.querySelector(".clear");
  const status = bar.querySelector(".shown");
  const count = `${learners.length} learner${learners.length === 1 ? "" : "s"}`;
  const isCalledSo = learner => calledAs(learner).includes(byLearner.value.trim().toLowerCase());
  bar.hidden = false;

  if (article.id === "overview") {
    const apply = () => {
      for (const learner of learners) learner.hidden = !isCalledSo(learner);
      clear.hidden = !byLearner.value;
      bar.classList.toggle("filtered", Boolean(byLearner.value));
      const shown = learners.filter(learner => !learner.hidden).length;
      status.textContent = byLearner.value ? `${shown} of ${count}` : count;
    };
    byLearner.addEventListener("input", apply);
    names?.addEventListener("change", apply);
    clear.addEventListener("click", () => {
      byLearner.value = "";
      apply();
      byLearner.focus();
    });
    continue;
  }

  const buttons = all(bar, "[aria-pressed]");
  const byMistake = bar.querySelector(".by-mistake");
  const byOutcome = bar.querySelector(".by-outcome");
  const ofExercise = all(article, ".bars > [data-exercise], .grid-table [data-exercise]");
  let exercise = "";

  const fits = learner => {
    if (!isCalledSo(learner)) return false;
    const { flags, states, mistakes } = learner.dataset;
    if (byMistake.value && !mistakes.split(" ").includes(byMistake.value)) return false;
    const outcome = byOutcome.value;
    if (!outcome) return true;
    if (!outcome.startsWith("state-")) return flags.split(" ").includes(outcome);
    const own = states ? states.split(" ") : ["state-not-judged"];
    return states && exercise ? own[exercise] === outcome : own.includes(outcome);
  };

  const apply = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.exercise === exercise));
    for (const option of byMistake.options) {
      option.hidden = option.disabled = Boolean(exercise && option.value && option.dataset.exercise !== exercise);
    }
    for (const element of ofExercise) {
      const other = exercise && element.dataset.exercise !== exercise;
      const unlike = byMistake.value && element.dataset.mistake && element.dataset.mistake !== byMistake.value;
      element.hidden = Boolean(other || unlike);
    }
    let shown = 0;
    for (const learner of learners) {
      learner.hidden = !fits(learner);
      shown += !learner.hidden;
    }
    const filtered = exercise || byMistake.value || byOutcome.value || byLearner.value;
    clear.hidden = !filtered;
    bar.classList.toggle("filtered", Boolean(filtered));
    const what = [
      exercise && buttons.find(button => button.dataset.exercise === exercise).textContent,
      byMistake.value && byMistake.selectedOptions[0].textContent,
      byOutcome.value && byOutcome.selectedOptions[0].textContent,
      byLearner.value && `“${byLearner.value.trim()}”`,
    ].filter(Boolean).join(", ");
    status.textContent = filtered
      ? `${shown} of ${learners.length} learners: ${what}`
      : count;
  };

  for (const button of buttons) {
    button.addEventListener("click", () => {
      exercise = button.dataset.exercise;
      if (byMistake.value && exercise && byMistake.selectedOptions[0].dataset.exercise !== exercise) byMistake.value = "";
      apply();
    });
  }
  byMistake.addEventListener("change", apply);
  byOutcome.addEventListener("change", apply);
  byLearner.addEventListener("input", apply);
  names?.addEventListener("change", apply);
  clear.addEventListener("click", () => {
    exercise = byMistake.value = byOutcome.value = byLearner.value = "";
    apply();
    buttons[0].focus();
  });
  for (const button of all(article, ".show-these")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      exercise = byOutcome.value = byLearner.value = "";
      byMistake.value = button.dataset.mistake;
      apply();
      const heading = article.querySelector(".learners h3");
      heading.scrollIntoView();
      heading.focus({ preventScroll: true });
    });
  }
  apply();
}

// A table is sorted by any column. By learner, that is by name where names are shown, else by number, which reveals none.
for (const table of all(document, ".grid-table")) {
  const byNumber = all(table, "tbody");
  const heads = all(table, "[aria-sort], th:has(.sort)");
  let column = 0;
  let up = true;
  const place = row => showsNames() ? Number(row.dataset.place) : byNumber.indexOf(row);
  const key = row => column === 0 ? place(row) : Number(row.rows[0].cells[column]?.dataset.value ?? -1);
  const order = () => {
    const keys = new Map(byNumber.map(row => [row, [key(row), place(row)]]));
    const sorted = [...byNumber].sort((one, other) => {
      const [first, second] = [keys.get(one), keys.get(other)];
      return (up ? 1 : -1) * (first[0] - second[0]) || first[1] - second[1];
    });
    table.append(...sorted, ...all(table, "tfoot"));
    for (const head of heads) head.removeAttribute("aria-sort");
    heads.find(head => head.cellIndex === column)?.setAttribute("aria-sort", up ? "ascending" : "descending");
  };
  for (const head of heads) {
    head.querySelector(".sort").addEventListener("click", () => {
      up = head.cellIndex === column ? !up : head.cellIndex === 0; // scores: the highest first
      column = head.cellIndex;
      order();
    });
  }
  names?.addEventListener("change", order);
  if (showsNames()) order();
}

// One assignment at a time, so that there is one bar of filters: the one that the address names, at first the overview.
const articles = all(document, "main > article");
const saySideways = () => {
  for (const hint of all(document, ".sideways")) {
    const scroller = hint.nextElementSibling;
    hint.hidden = scroller.scrollWidth <= scroller.clientWidth;
  }
};
const turn = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const chosen = articles.find(article => article.contains(target)) ?? articles[0];
  for (const article of articles) article.classList.toggle("away", article !== chosen);
  for (const link of all(document, "nav a")) {
    if (link.hash === `#${chosen.id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (articles.includes(target)) target.scrollIntoView();
  saySideways();
};
if (articles.length > 1) {
  addEventListener("hashchange", turn);
  turn();
}
addEventListener("resize", saySideways);
saySideways();

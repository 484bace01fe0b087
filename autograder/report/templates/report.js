"use strict";
// Filters and sorts the tables. Without this script the page shows everything. It never inserts markup.

const all = (root, selector) => [...root.querySelectorAll(selector)];

for (const article of all(document, "article.assignment")) {
  const bar = article.querySelector(".filters");
  if (!bar) continue;
  const buttons = all(bar, "[aria-pressed]");
  const byMistake = bar.querySelector(".by-mistake");
  const byOutcome = bar.querySelector(".by-outcome");
  const clear = bar.querySelector(".clear");
  const status = bar.querySelector(".shown");
  const learners = all(article, ".grid-table tbody");
  const ofExercise = all(article, ".bars > [data-exercise], .grid-table [data-exercise]");
  let exercise = "";

  const fits = learner => {
    const { flags, states, mistakes } = learner.dataset;
    if (byMistake.value && !mistakes.split(" ").includes(byMistake.value)) return false;
    const outcome = byOutcome.value;
    if (!outcome) return true;
    if (!outcome.startsWith("state-")) return flags.split(" ").includes(outcome);
    const own = states ? states.split(" ") : ["state-none"];
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
    const filtered = exercise || byMistake.value || byOutcome.value;
    clear.hidden = !filtered;
    bar.classList.toggle("filtered", Boolean(filtered));
    const what = [
      exercise && buttons.find(button => button.dataset.exercise === exercise).textContent,
      byMistake.value && byMistake.selectedOptions[0].textContent,
      byOutcome.value && byOutcome.selectedOptions[0].textContent,
    ].filter(Boolean).join(", ");
    status.textContent = filtered
      ? `${shown} of ${learners.length} learners: ${what}`
      : `${learners.length} learner${learners.length === 1 ? "" : "s"}`;
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
  clear.addEventListener("click", () => {
    exercise = byMistake.value = byOutcome.value = "";
    apply();
    buttons[0].focus();
  });
  for (const button of all(article, ".show-these")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      exercise = byOutcome.value = "";
      byMistake.value = button.dataset.mistake;
      apply();
      const heading = article.querySelector(".learners h3");
      heading.scrollIntoView();
      heading.focus({ preventScroll: true });
    });
  }
  bar.hidden = false;
  apply();
}

// With names shown, the table is sorted by name; otherwise by number, which reveals no names.
const names = document.querySelector("#show-names");
if (names) {
  const tables = all(document, ".grid-table").map(table => [table, all(table, "tbody")]);
  const order = () => {
    for (const [table, rows] of tables) {
      const sorted = names.checked ? [...rows].sort((one, other) => one.dataset.place - other.dataset.place) : rows;
      table.append(...sorted);
    }
  };
  names.addEventListener("change", order);
  if (names.checked) order();
}

// What the course's widgets add to a page, once a page. Without it they work: the mouse reads titles a second later and
// clicks nothing in a picture, and a screen reader hears no names.
(() => {
  if (window.manyheadsOnPage) return;
  window.manyheadsOnPage = true;

  const set = (node, name, value) => {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  };
  const labelOf = (node) => {
    for (let box = node.parentElement; box && !box.matches(".manyheads-explorer"); box = box.parentElement) {
      const label = box.querySelector(":scope > .widget-label");
      if (label) return label.textContent.trim();
    }
    return "";
  };

  // ipywidgets gives sliders no name, announces a choice by its number, and does not say which button is pressed.
  const name = (explorer) => {
    for (const handle of explorer.querySelectorAll("[role=slider], .ui-slider-handle")) {
      const box = handle.closest(".widget-slider, .widget-hslider, .jupyter-widgets");
      const readout = box && box.querySelector(".widget-readout");
      set(handle, "role", "slider");
      set(handle, "aria-label", labelOf(handle));
      if (readout) set(handle, "aria-valuetext", readout.textContent.trim());
      if (!handle.hasAttribute("aria-valuenow")) set(handle, "aria-valuenow", String(parseFloat(handle.style.left) || 0));
    }
    for (const readout of explorer.querySelectorAll(".widget-readout[contenteditable=true]")) {
      set(readout, "role", "textbox");
      set(readout, "aria-label", labelOf(readout));
    }
    for (const button of explorer.querySelectorAll("button.widget-toggle-button")) {
      set(button, "aria-pressed", String(button.classList.contains("mod-active")));
      set(button.parentElement, "role", "group");
      set(button.parentElement, "aria-label", labelOf(button));
    }
    for (const bar of explorer.querySelectorAll(".progress")) {
      set(bar, "aria-hidden", "true"); // the words beside it say the same
    }
  };

  // The values of all controls but fields of text, in which a person may be typing.
  const state = (explorer) =>
    [...explorer.querySelectorAll(".widget-readout, .mod-active, input[type=checkbox], select")]
      .map((node) => (node.matches("input, select") ? `${node.checked}${node.value}` : node.textContent))
      .join("|");

  // Where a picture takes longer than 0.3 s after a control was moved, "drawing…" is written on the old one.
  const watch = (explorer) => {
    const picture = explorer.querySelector(".manyheads-picture");
    let seen = state(explorer);
    let timer = 0;
    let planned = false;
    const wait = () => {
      timer = timer || setTimeout(() => explorer.classList.add("manyheads-waiting"), 300);
    };
    const look = () => {
      const now = state(explorer);
      if (now !== seen) wait();
      seen = now;
    };
    const drawn = () => {
      clearTimeout(timer);
      timer = 0;
      seen = state(explorer);
      explorer.classList.remove("manyheads-waiting");
    };
    new MutationObserver((changes) => {
      if (changes.some((change) => change.type === "childList" && picture && picture.contains(change.target))) drawn();
      else look();
      if (!planned) {
        planned = true;
        requestAnimationFrame(() => {
          planned = false;
          name(explorer);
        });
      }
    }).observe(explorer, {
      subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["class", "aria-valuetext"],
    });
    explorer.addEventListener("change", (event) => {
      if (!event.target.matches("input[type=text], textarea")) look();
      else if (!event.target.closest(".manyheads-picked")) wait();
    });
    name(explorer);
  };

  const find = () => {
    for (const explorer of document.querySelectorAll(".manyheads-explorer:not([data-named])")) {
      if (!explorer.querySelector(".manyheads-picture")) continue; // its parts are still to come
      explorer.dataset.named = "";
      watch(explorer);
    }
  };
  let looking = false;
  new MutationObserver(() => {
    if (looking) return;
    looking = true;
    setTimeout(() => {
      looking = false;
      find();
    }, 100);
  }).observe(document.body, { subtree: true, childList: true });
  find();

  // A click on a place of a picture goes to the kernel through a hidden text field.
  document.addEventListener("click", (event) => {
    const spot = event.target.closest && event.target.closest(".manyheads-explorer [data-pick]");
    const field = spot && spot.closest(".manyheads-explorer").querySelector(".manyheads-picked input");
    if (!field) return;
    field.value = `${spot.dataset.pick}#${Date.now()}`;
    for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
  });

  // What a place says is shown at once, beside the mouse.
  const tip = document.createElement("div");
  tip.className = "manyheads-tip";
  tip.setAttribute("aria-hidden", "true"); // the words below each picture are for those who cannot see it
  document.body.append(tip);
  const place = (event) => {
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    const top = event.clientY + 18 + tip.offsetHeight > window.innerHeight
      ? event.clientY - 10 - tip.offsetHeight
      : event.clientY + 18;
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  };
  document.addEventListener("pointerover", (event) => {
    const spot = event.target.closest && event.target.closest(".manyheads .spot");
    const title = spot && spot.querySelector("title");
    if (title) {
      spot.dataset.says = title.textContent;
      title.remove();
    }
    tip.hidden = !spot;
    if (spot) {
      tip.textContent = spot.dataset.says;
      place(event); // a page that scrolls under a mouse at rest sends no pointermove
    }
  });
  document.addEventListener("pointermove", (event) => {
    if (!tip.hidden) place(event);
  });
  tip.hidden = true;
})();

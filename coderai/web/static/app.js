// Small help for pages that work without it: times in the reader's zone, copy buttons, choices that submit themselves.
"use strict";

const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

function localise(root) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    const moment = new Date(element.dateTime);
    if (!Number.isNaN(moment.getTime())) element.title = whole.format(moment);
  }
}

document.addEventListener("DOMContentLoaded", () => localise(document));
document.addEventListener("htmx:load", (event) => localise(event.target));

// A choice submits itself; one that is made with keys not before Enter or leaving it, since every arrow key chooses.
let keys = false, chosen = null;
function submitChosen() {
  const field = chosen;
  chosen = null;
  field?.form.requestSubmit();
}
document.addEventListener("pointerdown", () => { keys = false; }, true);
document.addEventListener("keydown", (event) => {
  keys = true;
  if (event.key === "Enter" && event.target === chosen) submitChosen();
}, true);
document.addEventListener("focusout", (event) => { if (event.target === chosen) submitChosen(); });
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-submit]")) return;
  chosen = event.target;
  if (!keys || !chosen.matches("select")) submitChosen();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy ?? original(button.dataset.copyFrom));
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});

// What is shown by its code, because it cannot be seen, is copied as it was.
function original(selector) {
  const copy = document.querySelector(selector).cloneNode(true);
  for (const unseen of copy.querySelectorAll(".unseen")) {
    unseen.replaceWith(String.fromCodePoint(parseInt(unseen.textContent.slice(2), 16)));
  }
  return copy.textContent;
}

// Buttons that need this file; times that are told by the reader's clock.
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  for (const field of document.querySelectorAll("[data-offset]")) field.value = -new Date().getTimezoneOffset();
  for (const name of document.querySelectorAll("[data-zone]")) name.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
});

// All details of a part of the page at once.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-open], [data-close]");
  if (!button) return;
  const part = document.querySelector(button.dataset.open ?? button.dataset.close);
  for (const each of part.querySelectorAll("details")) {
    each.open = "open" in button.dataset;
    each.dataset.touched = "";
  }
});

// A part that is replaced by a newer one keeps open what its reader opened, and closed what he closed.
document.addEventListener("click", (event) => {
  const summary = event.target.closest("summary"); // a key on it is a click as well
  if (summary) summary.parentElement.dataset.touched = "";
});
let kept = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  kept = [...event.detail.target.querySelectorAll("details[id][data-touched]")].map((each) => [each.id, each.open]);
});
document.addEventListener("htmx:afterSettle", () => {
  for (const [id, open] of kept) {
    const each = document.getElementById(id);
    if (each) Object.assign(each, { open }).dataset.touched = "";
  }
  kept = [];
});

// Columns that a reader does not want; this browser remembers them.
document.addEventListener("DOMContentLoaded", () => {
  for (const chooser of document.querySelectorAll("[data-columns]")) {
    const name = chooser.dataset.columns;
    const ticks = [...chooser.querySelectorAll("input")];
    const hide = () => {
      const gone = ticks.filter((tick) => !tick.checked).map((tick) => tick.value).join(" ");
      localStorage.setItem(`columns ${name}`, gone);
      for (const table of document.querySelectorAll(`table.${name}`)) table.dataset.hidden = gone;
    };
    const gone = (localStorage.getItem(`columns ${name}`) ?? "").split(" ");
    for (const tick of ticks) tick.checked = !gone.includes(tick.value);
    chooser.addEventListener("change", hide);
    hide();
  }
});

// A row that is a link as a whole: also where something with an explanation of its own lies above the link.
document.addEventListener("click", (event) => {
  if (!event.target.closest("a, button")) event.target.closest("tr")?.querySelector("a.whole-row")?.click();
});

// Esc closes what is open: the menu, a question.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = event.target.closest("details.menu[open], details.destroy[open], details.drop[open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
});

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

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});

// Esc closes what is open: the menu, a question.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = event.target.closest("details.menu[open], details.destroy[open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
});

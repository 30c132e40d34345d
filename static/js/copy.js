// Copy buttons: they appear once there is a script to do the copying, and say what happened.
(() => {
  "use strict";
  const SAID_MS = 2000;

  function reveal(root) {
    for (const button of root.querySelectorAll("[data-copy-target][hidden]")) button.hidden = false;
  }

  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  async function write(element) {
    const text = "value" in element ? element.value : element.textContent;
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      select(element); // no clipboard on plain http: leave it selected, ready for the keyboard
      return document.execCommand("copy");
    }
  }

  async function copy(button) {
    const element = document.querySelector(button.dataset.copyTarget);
    if (!element) return;
    const words = button.querySelector("[data-copy-words]");
    button.dataset.copyLabel ??= words.textContent;
    const done = await write(element);
    words.textContent = done ? "Copied" : "Press Ctrl+C";
    const announcer = document.getElementById("announcer");
    if (announcer) announcer.textContent = done ? "Copied to the clipboard" : "Selected. Press Control C to copy.";
    setTimeout(() => {
      words.textContent = button.dataset.copyLabel;
      if (announcer) announcer.textContent = "";
    }, SAID_MS);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy-target]");
    if (button) copy(button);
  });
  document.addEventListener("DOMContentLoaded", () => reveal(document));
  document.addEventListener("htmx:afterSettle", (event) => reveal(event.target));
})();

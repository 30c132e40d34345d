// Runs before the first paint: says that scripts run, and keeps the colours that were chosen.
(() => {
  "use strict";
  const root = document.documentElement;
  const YEAR_S = 31536000;
  root.classList.add("has-js");

  function chosen() {
    return root.dataset.bsTheme || "auto";
  }

  function choose(theme) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    const age = theme === "auto" ? 0 : YEAR_S;
    document.cookie = `atrium_theme=${theme}; path=/; max-age=${age}; samesite=lax${secure}`;
    if (theme === "auto") delete root.dataset.bsTheme;
    else root.dataset.bsTheme = theme;
    mark();
    document.dispatchEvent(new CustomEvent("atrium:theme"));
  }

  function mark() {
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen()));
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll("[data-theme-switch]")) group.hidden = false;
    mark();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (button) choose(button.dataset.themeChoice);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new CustomEvent("atrium:theme"));
  });
})();

// Small comforts of every page: folded things close, messages can be put away, waiting is marked.
(() => {
  "use strict";
  const EDGE_PX = 8;

  function ready(root) {
    for (const button of root.querySelectorAll("[data-dismiss][hidden]")) button.hidden = false;
  }

  function shut(hint) {
    if (!hint) return;
    hint.classList.add("is-shut");
    for (const name of ["mouseleave", "focusout"]) hint.addEventListener(name, () => hint.classList.remove("is-shut"), { once: true });
  }

  // A hint stands at its question mark and inside the window, whatever scrolls or cuts off around it.
  function place(hint) {
    const words = hint?.querySelector(".at-hint-words");
    if (!words) return;
    const mark = hint.querySelector("button").getBoundingClientRect();
    Object.assign(words.style, { left: "0px", top: "0px" });
    const { width, height, left: zeroLeft, top: zeroTop } = words.getBoundingClientRect();
    const furthest = document.documentElement.clientWidth - width - EDGE_PX;
    const left = Math.max(EDGE_PX, Math.min(mark.left - EDGE_PX, furthest));
    const top = mark.bottom + height + EDGE_PX > innerHeight ? mark.top - height : mark.bottom;
    Object.assign(words.style, { left: `${left - zeroLeft}px`, top: `${top - zeroTop}px` });
  }

  for (const name of ["focusin", "mouseover"]) {
    document.addEventListener(name, (event) => place(event.target.closest?.(".at-hint")));
  }
  addEventListener("scroll", () => place(document.querySelector(".at-hint:is(:hover, :focus-within)")), { capture: true, passive: true });

  document.addEventListener("DOMContentLoaded", () => {
    ready(document);
    document.querySelector("[data-focus]")?.focus();
  });

  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.parentElement.remove();
    for (const open of document.querySelectorAll(".at-menu[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    shut(document.querySelector(".at-hint:is(:hover, :focus-within)"));
    for (const open of document.querySelectorAll(".at-menu[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  // htmx: what is being exchanged is busy; a failure is said aloud instead of passing in silence.
  function busy(event, state) {
    const target = event.detail.target;
    if (target && target.matches && !target.matches(".at-live")) target.setAttribute("aria-busy", String(state));
  }

  // A live panel that still waits is left alone, so that nothing is read out every two seconds; its good news is.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.target?.matches?.(".at-live")) return;
    const arrived = event.detail.serverResponse.includes("is-seen");
    event.detail.shouldSwap = arrived;
    const title = arrived && new DOMParser().parseFromString(event.detail.serverResponse, "text/html").querySelector(".at-live-title");
    const announcer = document.getElementById("announcer");
    if (title && announcer) announcer.textContent = title.textContent;
  });

  document.addEventListener("htmx:beforeRequest", (event) => busy(event, true));
  document.addEventListener("htmx:afterRequest", (event) => busy(event, false));
  document.addEventListener("htmx:afterSettle", (event) => ready(event.target));
  // An answer from elsewhere is a sign-in page: go there instead of emptying the list.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, pathInfo, target } = event.detail;
    if (target?.matches?.(".at-live") || !xhr?.responseURL || !pathInfo) return;
    const asked = new URL(pathInfo.requestPath, location.href).pathname;
    if (new URL(xhr.responseURL).pathname === asked) return;
    event.detail.shouldSwap = false;
    location.reload();
  });

  function complain(words) {
    const flash = document.createElement("div");
    flash.className = "at-flash at-tone-bad";
    flash.append(Object.assign(document.createElement("p"), { textContent: words }));
    document.querySelector(".at-flashes")?.replaceChildren(flash);
  }

  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      if (event.detail.elt.matches(".at-live")) return;
      complain("That did not work: Atrium did not answer as it should. Load the page again.");
    });
  }

  // A form is sent once: a second click would take the place of the first one's answer, and that may show a secret.
  const sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.defaultPrevented) return;
    if (sent.has(event.target)) event.preventDefault();
    else sent.add(event.target);
  });
  addEventListener("pageshow", () => {
    for (const form of document.forms) sent.delete(form);
  });
})();

// Links marked data-confirm open their confirm page as a dialog. Whatever goes wrong, the page itself opens.
(() => {
  "use strict";

  async function question(url) {
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok || new URL(response.url).pathname !== new URL(url, location.href).pathname) throw new Error("not the page");
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const section = page.getElementById("confirm");
    if (!section) throw new Error("no question in it");
    return section;
  }

  async function ask(link) {
    const section = await question(link.href);
    const dialog = document.createElement("dialog");
    dialog.className = "at-dialog";
    dialog.setAttribute("aria-labelledby", "confirm-question");
    dialog.append(document.importNode(section, true));
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-cancel]")) {
        event.preventDefault();
        dialog.close();
      }
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-confirm]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    ask(link).catch(() => location.assign(link.href));
  });
})();

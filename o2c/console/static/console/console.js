// The dialog of acts, bulk selection, keyboard. Everything works without it too: links lead to pages, forms post.
(() => {
  "use strict";
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;
  const dialog = () => document.getElementById("o-dialog");

  // htmx puts the act's form into the dialog; then the dialog opens and the first field gets the focus.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id !== "o-dialog") return;
    if (!dialog().open) dialog().showModal();
    const first = dialog().querySelector("[role=alert], input:not([type=hidden]), select, textarea, button[type=submit]");
    if (first && first.matches("input, select, textarea, button")) first.focus();
  });
  // A refusal (403, 422, …) is an answer to be read, not an error to be swallowed.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.target.id === "o-dialog" && event.detail.xhr.status >= 400) event.detail.shouldSwap = true;
  });
  // One press, one act.
  document.addEventListener("htmx:beforeRequest", (event) => {
    event.target.querySelectorAll?.("button[type=submit]").forEach((button) => { button.disabled = true; });
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("#o-dialog [data-o-close]")) { event.preventDefault(); dialog().close(); }
    if (event.target === dialog()) dialog().close();
    const opener = event.target.closest(".o-btn-off[popovertarget]");
    if (opener) place(opener);
  });
  const place = (opener) => requestAnimationFrame(() => {
    const box = opener.getBoundingClientRect();
    const popover = document.getElementById(opener.getAttribute("popovertarget"));
    const left = Math.max(8, Math.min(box.left, innerWidth - popover.offsetWidth - 16));
    popover.style.left = `${left + scrollX}px`;
    popover.style.top = `${box.bottom + scrollY}px`;
  });

  // Columns of amounts that an app shows by a method of its own are right-aligned like the others.
  document.addEventListener("DOMContentLoaded", () => {
    const rows = [...document.querySelectorAll("#result_list tr.data-row")];
    const heads = [...document.querySelectorAll("#result_list thead th")];
    heads.forEach((head, column) => {
      const cells = rows.map((row) => row.children[column]).filter(Boolean);
      const texts = cells.map((cell) => cell.textContent.trim()).filter((text) => text && text !== "\u2013");
      const figures = texts.length > 0 && column > 1 && texts.every((text) => /^\u2212?\d{1,3}(,\d{3})*(\.\d+)?( %)?$/.test(text));
      if (!figures && !cells.some((cell) => cell.querySelector(".o-money"))) return;
      [head, ...cells].forEach((cell) => cell.classList.add("o-right"));
    });
  });

  // Bulk selection on queue pages.
  const selection = () => {
    const boxes = [...document.querySelectorAll("#o-bulk [name=_selected_action]")];
    const chosen = boxes.filter((box) => box.checked);
    boxes.forEach((box) => box.closest("tr").classList.toggle("o-selected", box.checked));
    const button = document.querySelector("[data-o-bulk]");
    if (button) button.disabled = chosen.length === 0;
    const note = document.querySelector("[data-o-selected]");
    if (note && chosen.length) note.textContent = `${chosen.length} selected`;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-o-all]")) {
      document.querySelectorAll("#o-bulk [name=_selected_action]").forEach((box) => { box.checked = event.target.checked; });
    }
    if (event.target.closest("#o-bulk")) selection();
  });

  // Pages of running jobs refresh themselves, slower and slower.
  document.addEventListener("DOMContentLoaded", () => {
    let wait = 2000;
    const poll = async () => {
      const live = document.querySelector("[data-o-refresh]");
      if (!live) return;
      const answer = await fetch(live.dataset.oRefresh, { headers: { "HX-Request": "true" } });
      if (answer.ok) live.outerHTML = await answer.text();
      if (!document.querySelector("[data-o-refresh]")) { location.reload(); return; }
      wait = Math.min(wait * 1.3, 15000);
      setTimeout(poll, wait);
    };
    if (document.querySelector("[data-o-refresh]")) setTimeout(poll, wait);
  });

  // Keyboard: / find, j k rows, x select, Enter opens, g h home, ? help. Off inside fields and dialogs.
  let row = -1;
  let pending = "";
  const rows = () => [...document.querySelectorAll(".o-list tbody tr, #result_list tr.data-row")];
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    row = Math.max(0, Math.min(all.length - 1, row + step));
    all[row].querySelector("a")?.focus();
  };
  const keys = {
    j: () => move(1), k: () => move(-1),
    x: () => rows()[row]?.querySelector("input[type=checkbox]")?.click(),
    "?": () => help(),
  };
  const ofPage = () => [...document.querySelectorAll(".o-acts [data-o-key]")].map((act) => {
    const label = act.lastElementChild.previousSibling.textContent.trim();
    return `<kbd>${act.dataset.oKey}</kbd><span>${label.toLowerCase()}</span>`;
  }).join("");
  const help = () => {
    dialog().innerHTML = `<h2 id='o-dialog-title'>Keyboard</h2><div class='o-keys'><kbd>/</kbd><span>find a record or page</span><kbd>j k</kbd><span>next and previous row</span><kbd>x</kbd><span>select the row</span><kbd>Enter</kbd><span>open the row</span><kbd>g h</kbd><span>home</span>${ofPage()}<kbd>Esc</kbd><span>close</span></div><footer class='o-dialog-foot'><button class='o-btn' data-o-close>Close</button></footer>`;
    dialog().showModal();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || dialog()?.open) return;
    if (pending === "g" && event.key === "h") { location.href = "/admin/"; return; }
    pending = event.key;
    if (event.key === "/" && !document.getElementById("searchbar")) {
      event.preventDefault();
      window.dispatchEvent(new CustomEvent("opencommand"));
      return;
    }
    const act = document.querySelector(`.o-acts [data-o-key="${CSS.escape(event.key)}"]`);
    if (act) { event.preventDefault(); act.click(); return; }
    keys[event.key]?.();
  });
})();

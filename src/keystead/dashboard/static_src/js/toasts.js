// The server writes a toast into the page. A live region says only what comes into it, so it is put in once more.
const PER_CHARACTER_MS = 90;
const LEAST_MS = 9000;
const region = document.getElementById("toasts");

function announce(toast) {
  region.append(toast);
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => toast.remove(), LEAST_MS + PER_CHARACTER_MS * toast.textContent.length);
  };
  // It leaves once it could be read, never while somebody looks at it or the page is not looked at at all.
  for (const kind of ["pointerenter", "focusin"]) toast.addEventListener(kind, () => clearTimeout(timer));
  for (const kind of ["pointerleave", "focusout"]) toast.addEventListener(kind, wait);
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : wait()));
  if (!document.hidden) wait();
}

function make(text) {
  const toast = document.getElementById("toast").content.firstElementChild.cloneNode(true);
  toast.querySelector("[data-words]").textContent = text;
  return toast;
}

if (region) {
  for (const toast of [...region.querySelectorAll(".toast")]) {
    toast.remove();
    requestAnimationFrame(() => announce(toast));
  }
}

document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast").remove());

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) region?.querySelector(".toast")?.remove();
});

document.addEventListener("keystead:away", () => {
  if (region) announce(make(region.dataset.away));
});

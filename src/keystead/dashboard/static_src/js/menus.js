// Menus are <details data-menu>: they open without a script. Here: arrow keys, Escape, and closing from outside.
const OPEN = "details[data-menu][open]";
const ITEMS = "a, button, input, select";

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(OPEN)) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  // A button that opens a dialog, or writes the theme, has done its work; links leave the page anyway.
  const item = event.target.closest("a[data-dialog]");
  if (item) item.closest(OPEN)?.removeAttribute("open");
});

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest?.(OPEN);
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});

// `toggle` does not bubble, but it can be caught on its way down.
document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (!menu.matches?.("[data-menu]")) return;
    menu.querySelector("summary").setAttribute("aria-expanded", menu.open);
    if (!menu.matches(".row-menu")) return;
    menu.classList.remove("upwards");
    if (!menu.open) return;
    const { bottom } = menu.querySelector(".menu").getBoundingClientRect();
    menu.classList.toggle("upwards", bottom > innerHeight && menu.getBoundingClientRect().top > innerHeight / 2);
  },
  true,
);

document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && event.target.closest?.(OPEN);
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
  event.stopImmediatePropagation();
  event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details[data-menu]");
  if (!menu) return;
  const step = { ArrowDown: 1, ArrowUp: -1, Home: 0, End: 0 }[event.key];
  if (step === undefined || event.target.matches("input, select")) return;
  if (!menu.open && event.key !== "ArrowDown") return;
  event.preventDefault();
  menu.open = true;
  const items = [...menu.querySelectorAll(ITEMS)].filter((item) => item.checkVisibility());
  const here = items.indexOf(document.activeElement);
  const next = { Home: 0, End: items.length - 1 }[event.key] ?? (here + step + items.length) % items.length;
  items[here < 0 && step === -1 ? items.length - 1 : next]?.focus();
});

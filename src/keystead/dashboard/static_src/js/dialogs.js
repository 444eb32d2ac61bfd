// A link with `data-dialog` leads to a page with a form; here the form is fetched and shown over this page instead.
// `data-open` names a dialog that is in the page already. Forms marked `data-native` are sent as without a script:
// their answer is a page that must not be fetched twice, such as one with a new token.
const CONTENT = "[data-dialog-content]";
let opener = null;

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    opener = link.closest("details")?.querySelector("summary") ?? link;
    await show(link.href);
  }
  const button = event.target.closest("[data-open]");
  if (button) {
    opener = button;
    document.getElementById(button.dataset.open).showModal();
  }
  const dialog = event.target.closest("dialog");
  // A press on the backdrop lands on the dialog itself, outside its box.
  if (dialog && (event.target.closest("[data-close]") || (event.target === dialog && outside(dialog, event)))) {
    event.preventDefault();
    dialog.close();
  }
});

document.addEventListener(
  "close",
  (event) => {
    if (!event.target.matches?.("dialog")) return;
    if (opener?.isConnected) opener.focus();
    opener = null;
    if (event.target.id === "dialog") event.target.replaceChildren();
  },
  true,
);

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.closest("#dialog") || form.matches("[data-native]")) return;
  if (form.method === "dialog") return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  await show(event.submitter?.getAttribute("formaction") ?? form.action, { method: "POST", body });
});

async function show(address, request = {}) {
  const steps = document.documentElement.dataset.steps;
  try {
    const answer = await fetch(address, { ...request, headers: { "HX-Request": "true", "Page-Steps": steps } });
    const onwards = answer.headers.get("HX-Redirect");
    if (onwards) return location.assign(onwards);
    if (answer.redirected) return location.assign(answer.url);
    const content = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(CONTENT);
    if (content) return fill(content);
    if (!request.method) return location.assign(address);
  } catch {
    // Below: the server is away.
  }
  document.dispatchEvent(new CustomEvent("keystead:away"));
}

// What lies outside an open dialog is neither seen nor heard, so this one says itself that nothing came back.
document.addEventListener("keystead:away", () => {
  const content = document.querySelector(`#dialog[open] ${CONTENT}`);
  if (content) excuse(content);
});

function excuse(content) {
  const note = document.createElement("p");
  note.className = "callout bad";
  note.setAttribute("role", "alert");
  note.textContent = document.getElementById("toasts").dataset.away;
  content.querySelector(":scope > [role=alert]")?.remove();
  content.querySelector("header").after(note);
  for (const form of content.querySelectorAll("form")) delete form.dataset.sent;
  for (const button of content.querySelectorAll("[data-busy]")) button.removeAttribute("data-busy");
}

function fill(content) {
  const dialog = document.getElementById("dialog");
  rename(content);
  dialog.replaceChildren(content);
  dialog.setAttribute("aria-labelledby", content.querySelector("h1, h2").id);
  if (!dialog.open) dialog.showModal();
  // What is wrong comes first, then what the page wants, then whatever there is.
  const wanted = ["[aria-invalid=true]", "[autofocus]", "input:not([type=hidden]), select, textarea", "form button"];
  wanted.map((selector) => content.querySelector(selector)).find((found) => found)?.focus();
  window.htmx?.process(content);
  document.dispatchEvent(new CustomEvent("keystead:shown", { detail: content }));
}

// The page below may have the same ids, of a field of the same name say: in a dialog each gets a prefix.
function rename(content) {
  const own = (id) => (content.querySelector(`#${CSS.escape(id)}`) ? `dialog-${id}` : id);
  for (const name of ["for", "aria-describedby", "aria-labelledby"]) {
    for (const element of content.querySelectorAll(`[${name}]`)) {
      element.setAttribute(name, element.getAttribute(name).split(" ").filter(Boolean).map(own).join(" "));
    }
  }
  for (const [name, selector] of Object.entries({ href: "a[href^='#']", "data-copy": "[data-copy^='#']" })) {
    for (const element of content.querySelectorAll(selector)) {
      element.setAttribute(name, `#${own(element.getAttribute(name).slice(1))}`);
    }
  }
  for (const element of content.querySelectorAll("[id]")) element.id = `dialog-${element.id}`;
}

function outside(dialog, { clientX, clientY }) {
  const box = dialog.getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}

// A form is sent once; a word that must be typed (`data-word`) opens its button; filters go without a button.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return event.stopImmediatePropagation();
  }
  if (form.method !== "post") return;
  form.dataset.sent = "yes";
  // Back to an answer to a form, the browser asks for the page, rather than whether to send the form again.
  if (form.action === location.href) history.replaceState(history.state, "", form.action);
  event.submitter?.setAttribute("data-busy", "");
}, true);

// Back from the next page, the browser may show this one as it was left.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[data-busy]")) button.removeAttribute("data-busy");
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-word]")) open(event.target);
});

function open(field) {
  const button = field.form?.querySelector("[data-needs-word]");
  if (button) button.setAttribute("aria-disabled", String(field.value !== field.dataset.word));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[aria-disabled=true]");
  if (!button) return;
  event.preventDefault();
  button.form?.querySelector("[data-word]")?.focus();
}, true);

// What is missing we say ourselves: in the reader's language, and with the field marked.
function all(root) {
  for (const form of root.querySelectorAll("form[method=post]")) form.noValidate = true;
  root.querySelectorAll("[data-word]").forEach(open);
}

all(document);
document.addEventListener("keystead:shown", (event) => all(event.detail));

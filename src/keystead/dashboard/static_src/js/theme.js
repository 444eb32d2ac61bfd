// The theme changes at once, and is written down behind the page's back; without a script the form is simply sent.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-form]")) return;
  event.preventDefault();
  delete form.dataset.sent;
  event.submitter.removeAttribute("data-busy");
  const theme = event.submitter.value;
  document.documentElement.toggleAttribute("data-theme", theme !== "");
  if (theme) document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-form] button")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
  try {
    await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form, event.submitter)),
      headers: { "HX-Request": "true", "Page-Steps": document.documentElement.dataset.steps },
    });
  } catch {
    document.dispatchEvent(new CustomEvent("keystead:away"));
  }
});

// A form that no script sends leaves this page: were the server away, the browser would show a page of its own, and what
// was typed would be gone. So the server is asked first whether it is there.
const PATIENCE_MS = 5000;

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.answered) return void delete form.dataset.answered;
  event.preventDefault();
  const { submitter } = event;
  const answered = await isThere();
  delete form.dataset.sent;
  submitter?.removeAttribute("data-busy");
  if (!answered) return void document.dispatchEvent(new CustomEvent("keystead:away"));
  form.dataset.answered = "yes";
  form.requestSubmit(submitter);
});

async function isThere() {
  const root = "../".repeat(Number(document.documentElement.dataset.steps)) || "./";
  try {
    const answer = await fetch(`${root}healthz`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer.status < 500;
  } catch {
    return false;
  }
}

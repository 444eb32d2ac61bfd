// htmx: say how deep this page lies, so that addresses in the answer fit; and never fail in silence.
const UNPROCESSABLE = 422;

document.addEventListener("htmx:config:request", (event) => {
  event.detail.ctx.request.headers["Page-Steps"] = document.documentElement.dataset.steps;
});

document.addEventListener("htmx:before:response", (event) => {
  const { status, raw } = event.detail.ctx.response;
  const problem = status >= 400 && status !== UNPROCESSABLE;
  // Sent on by a redirect, such as to the sign-in page: go there, rather than show it inside this one.
  if (raw.redirected) location.assign(raw.url);
  if (problem) away();
  if (problem || raw.redirected) event.preventDefault();
});

document.addEventListener("htmx:error", away);

function away() {
  document.dispatchEvent(new CustomEvent("keystead:away"));
}

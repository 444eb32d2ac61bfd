// A new token is in this page only: it is taken away when the page is left, and what is left in the history
// is an address that leads to its key.
const made = document.querySelector("[data-made]");

if (made) {
  history.replaceState(history.state, "", `?made=${made.dataset.made}`);
  addEventListener("pagehide", () => {
    for (const part of document.querySelectorAll("[data-once]")) part.remove();
  });
}

// A new token is in this page only: it is taken away when the page is left, and what is left in the history
// is an address that leads to its key.
const made = document.querySelector("[data-made]");

if (made) {
  history.replaceState(history.state, "", `?made=${made.dataset.made}`);
  addEventListener("pagehide", () => {
    for (const part of document.querySelectorAll("[data-once]")) part.remove();
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-download]");
  if (!link) return;
  const token = document.querySelector(link.dataset.download).textContent;
  link.href = URL.createObjectURL(new Blob([`KEYSTEAD_TOKEN=${token}\n`], { type: "text/plain" }));
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
    link.href = link.dataset.download;
  }, 1000);
});

// Copy what `data-copy` points at (a selector). Without the clipboard, which needs TLS or localhost, by selecting it.
const SHOWN_MS = 2500;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const done = (await written(source.textContent)) || selected(source);
  say(button, done ? button.dataset.copiedText : button.dataset.pressText, done);
});

async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function selected(source) {
  const selection = getSelection();
  selection.selectAllChildren(source);
  try {
    return document.execCommand("copy");
  } catch {
    return false; // it stays selected: the person copies with their own keys
  }
}

function say(button, words, done) {
  button.querySelector("[data-words]").textContent = words;
  button.querySelector("[role=status]").textContent = words;
  button.toggleAttribute("data-copied", true);
  clearTimeout(button.timer);
  if (done) {
    button.timer = setTimeout(() => {
      button.removeAttribute("data-copied");
      button.querySelector("[role=status]").textContent = "";
    }, SHOWN_MS);
  }
}

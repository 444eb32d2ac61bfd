// Labels are sent as lines, `name=value`; here each line is a row of two fields, which write it.
for (const editor of document.querySelectorAll("[data-labels]")) arrange(editor);

function arrange(editor) {
  const lines = editor.querySelector("textarea");
  const title = editor.querySelector("label");
  const rows = document.createElement("div");
  rows.className = "label-rows";
  rows.setAttribute("role", "group");
  title.id = `${lines.id}-title`;
  rows.setAttribute("aria-labelledby", title.id);
  // Whatever leads to the field, such as the list of faults, leads to the rows.
  rows.id = lines.id;
  title.removeAttribute("for");
  lines.removeAttribute("id");
  lines.hidden = true;
  lines.after(rows);
  for (const line of lines.value.split("\n")) add(editor, line);
  editor.querySelector("[data-add]").addEventListener("click", () => add(editor, "").firstElementChild.focus());
  rows.addEventListener("input", () => write(editor));
  rows.addEventListener("click", (event) => {
    const button = event.target.closest("[data-drop]");
    if (!button) return;
    button.parentElement.remove();
    if (!rows.firstElementChild) add(editor, "");
    write(editor);
    rows.lastElementChild.firstElementChild.focus();
  });
}

function add(editor, line) {
  const lines = editor.querySelector("textarea");
  const row = editor.querySelector("template").content.firstElementChild.cloneNode(true);
  const [name, value] = row.querySelectorAll("input");
  const at = line.indexOf("=");
  name.value = (at < 0 ? line : line.slice(0, at)).trim();
  value.value = at < 0 ? "" : line.slice(at + 1).trim();
  for (const mark of ["aria-describedby", "aria-invalid"]) {
    if (lines.hasAttribute(mark)) for (const field of [name, value]) field.setAttribute(mark, lines.getAttribute(mark));
  }
  editor.querySelector(".label-rows").append(row);
  return row;
}

function write(editor) {
  const pairs = [...editor.querySelectorAll(".label-rows > *")].map((row) =>
    [...row.querySelectorAll("input")].map((field) => field.value.trim()),
  );
  editor.querySelector("textarea").value = pairs
    .filter(([name, value]) => name || value)
    .map((pair) => pair.join("="))
    .join("\n");
}

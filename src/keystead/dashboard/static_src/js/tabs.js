// Panels of one page, `data-panels`: without a script they stand below each other, each with its heading.
function arrange(group) {
  const panels = [...group.querySelectorAll(":scope > section")];
  if (!panels.length || group.querySelector("[role=tablist]")) return;
  const list = document.createElement("div");
  list.className = "segments joined";
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", group.dataset.label);
  for (const panel of panels) {
    const heading = panel.querySelector("h3");
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `${panel.id}-tab`;
    tab.textContent = heading.textContent;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    heading.hidden = true;
    list.append(tab);
  }
  group.prepend(list);
  choose(list.firstElementChild);
}

function choose(tab) {
  for (const other of tab.parentElement.children) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) choose(tab);
});

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("[role=tab]");
  if (!tab) return;
  const tabs = [...tab.parentElement.children];
  const onwards = getComputedStyle(tab).direction === "rtl" ? -1 : 1;
  const step = { ArrowRight: onwards, ArrowLeft: -onwards }[event.key];
  const place = { Home: 0, End: tabs.length - 1 }[event.key];
  if (step === undefined && place === undefined) return;
  event.preventDefault();
  const next = tabs[place ?? (tabs.indexOf(tab) + step + tabs.length) % tabs.length];
  choose(next);
  next.focus();
});

const all = (root) => root.querySelectorAll("[data-panels]").forEach(arrange);
all(document);
document.addEventListener("keystead:shown", (event) => all(event.detail));
document.addEventListener("htmx:after:swap", () => all(document));

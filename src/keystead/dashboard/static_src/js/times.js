// Whoever chose no time zone reads instants in their browser's: the server cannot know it.
const html = document.documentElement;
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();

function localize(root) {
  for (const field of root.querySelectorAll("input[data-zone]")) field.value ||= timeZone;
  if (html.dataset.zone || timeZone === "UTC") return;
  const language = html.lang === "en" ? "en-GB" : html.lang;
  const format = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", timeZone });
  for (const time of root.querySelectorAll("time:not([data-local])")) {
    const place = timeZone.split("/").at(-1).replaceAll("_", " ");
    const words = (utc) => `${format.format(new Date(time.dateTime))} (${place}), ${utc}`;
    time.dataset.local = "";
    if (time.matches(".when")) time.title = words(time.title);
    else time.textContent = words(time.textContent);
  }
}

localize(document);
document.addEventListener("keystead:shown", (event) => localize(event.detail));
document.addEventListener("htmx:after:swap", () => localize(document));

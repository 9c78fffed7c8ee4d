// Times in the reader's own time zone and live progress. Everything works without it, less comfortably.
"use strict";

const inReadersZone = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

function localiseTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      element.title = element.textContent;
      element.textContent = inReadersZone.format(moment);
    }
  }
}

// Files hold times, too: say in which zone they are wanted.
function localiseFiles(root) {
  for (const link of root.querySelectorAll("a[data-time-zone]")) {
    const address = new URL(link.href);
    address.searchParams.set("time_zone", inReadersZone.resolvedOptions().timeZone);
    link.href = address.href;
  }
}

function showProgress(region, progress) {
  for (const step of progress.steps) {
    const bar = region.querySelector(`[data-step="${step.name}"]`);
    const text = region.querySelector(`[data-count="${step.name}"]`);
    if (!bar) continue;
    if (step.total === null) {
      bar.removeAttribute("value");
    } else {
      bar.max = Math.max(step.total, 1);
      bar.value = step.done;
    }
    text.textContent = step.words;
  }
  const sentence = region.querySelector("[data-sentence]");
  if (sentence.textContent !== progress.sentence) sentence.textContent = progress.sentence;
}

async function follow(region) {
  let wait = 1000;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      const answer = await fetch(region.dataset.follow, { headers: { Accept: "application/json" } });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      const progress = await answer.json();
      if (progress.go_to) return location.assign(progress.go_to);
      showProgress(region, progress);
      wait = progress.again_in_ms;
    } catch {
      wait = Math.min(wait * 2, 15000);
    }
  }
}

// A button with data-dialog opens the confirmation where it stands; without this it leads to a page that asks the same.
function openDialogs() {
  for (const link of document.querySelectorAll("[data-dialog]")) {
    const dialog = document.getElementById(link.dataset.dialog);
    if (!dialog || !dialog.showModal) continue;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.showModal();
    });
    for (const closer of dialog.querySelectorAll("[data-close]")) {
      closer.addEventListener("click", (event) => {
        event.preventDefault();
        dialog.close();
      });
    }
  }
}

// Buttons that put a text of the page into the clipboard; without script there are none.
function offerCopies() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      const said = button.parentElement.querySelector("[data-copied]");
      try {
        await navigator.clipboard.writeText(source.value ?? source.textContent);
        said.textContent = "Copied.";
      } catch {
        said.textContent = "Your browser did not allow it; select the text and copy it.";
      }
    });
  }
}

localiseTimes(document);
localiseFiles(document);
offerCopies();
openDialogs();
for (const region of document.querySelectorAll("[data-follow]")) follow(region);

// The buttons below a list of choices say how many they are about.
function countChoices(bar) {
  const form = bar.closest("form");
  const say = () => {
    const found = form.querySelector("input[name=scope][value=found]");
    const ticked = form.querySelectorAll("td input[type=checkbox]:checked").length;
    const count = found && found.checked ? Number(found.dataset.total) : ticked;
    for (const button of bar.querySelectorAll("button[data-many]")) {
      const { one, many, chosen } = button.dataset;
      button.textContent = count === 1 ? one : count ? many.replace("{n}", count.toLocaleString("en").replaceAll(",", "\u202f")) : chosen;
    }
  };
  form.addEventListener("change", (event) => {
    if (event.target.closest("td")) form.querySelector("input[name=scope][value=chosen]").checked = true;
    say();
  });
  window.addEventListener("pageshow", say);
  say();
}
for (const bar of document.querySelectorAll("[data-choice]")) countChoices(bar);

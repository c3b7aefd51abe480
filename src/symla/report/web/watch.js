"use strict";
// What is said of the runs is asked for again; what the visitor opened, and the lifetime, stay.

async function look() {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer) document.title = "symla report, no longer served"; // what was last seen stays
  if (!answer?.ok) return;
  document.title = "symla report";
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const opened = (page) => [...page.querySelectorAll("#runs details")];
  const open = opened(document).map((part) => part.open);
  opened(fresh).forEach((part, i) => (part.open = open[i] ?? false));
  document.getElementById("runs").replaceWith(fresh.getElementById("runs"));
  const lifetime = document.getElementById("lifetime");
  if (!lifetime.hasChildNodes()) lifetime.replaceWith(fresh.getElementById("lifetime"));
}

// The next look begins after the last one was answered, however long that took.
const later = () => setTimeout(() => look().finally(later), 1000 * /*SECONDS*/);
later();

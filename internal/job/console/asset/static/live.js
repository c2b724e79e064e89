// Moves the counts of a page as events flow. Without it the page shows them as they were when it was loaded.
const shown = document.querySelectorAll("[data-live]");
const lane = document.querySelector("[data-lane=day]");
const every = 2000; // milliseconds
const write = new Intl.NumberFormat("en-US", {maximumFractionDigits: 0});

async function look() {
  if (document.hidden) return;
  const answer = await fetch("/live.json", {headers: {Accept: "application/json"}});
  if (!answer.ok) return;
  const counts = await answer.json();
  let moved = false;
  for (const place of shown) {
    const value = counts[place.dataset.live];
    const data = place.querySelector("data");
    if (value === undefined || !data || Number(data.value) === value) continue;
    data.value = value;
    data.textContent = write.format(value);
    moved = true;
  }
  if (moved && lane) {
    lane.classList.remove("is-flowing");
    void lane.offsetWidth; // begins the animation again
    lane.classList.add("is-flowing");
  }
}

// A console that has ended is no fault of the page: it keeps what it shows, and asks again.
if (shown.length > 0) setInterval(() => look().catch(() => {}), every);

// A page about something that is not ready yet looks again.
const again = Number(document.querySelector("main").dataset.reload);
if (again > 0) setTimeout(() => location.reload(), again * 1000);

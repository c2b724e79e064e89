// Asks again while somebody writes into a form that changes nothing, and shows what it answers. Without it the form
// has a button.
const form = document.querySelector("form[data-try]");
const pause = 250; // milliseconds without a key
let waiting, asked = 0;

async function ask() {
  const number = ++asked;
  const address = new URL(form.action);
  address.search = new URLSearchParams(new FormData(form));
  const answer = await fetch(address);
  if (!answer.ok || number !== asked) return; // a later question is under way
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById(form.dataset.try).replaceChildren(...page.getElementById(form.dataset.try).childNodes);
  history.replaceState(null, "", address);
}

form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => ask().catch(() => {}), pause);
});

"use strict";
// Names and labels reach the page as text alone: nothing of the data is ever read as HTML.
const token = location.pathname.split("/")[1];
const STEP = 60;
const find = (id) => document.getElementById(id);
let suspects = [], classes = [], shown = [], filled = 0;

function trouble(text) { find("trouble").textContent = text; }

function count() {
  const decided = suspects.filter((one) => one.decision !== null).length;
  find("count").textContent = `${decided} of ${suspects.length} decided` +
    (shown.length === suspects.length ? "" : `, ${shown.length} shown`);
}

function options(select, names) {
  for (const name of names) select.add(new Option(name, name));
}

function paint(card, one) {
  if (one.decision === null) delete card.dataset.decision;
  else card.dataset.decision = one.decision;
  for (const button of card.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.word === one.decision));
  }
  if (one.decision === "relabel") card.querySelector("select").value = one.label;
}

async function decide(card, one, word) {
  const label = word === "relabel" ? card.querySelector("select").value : "";
  try {
    const answer = await fetch("decide", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Review-Token": token },
      body: JSON.stringify({ number: one.number, decision: word, label }),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    one.decision = told.suspect.decision;
    one.label = told.suspect.label;
    trouble("");
  } catch (fault) {
    trouble(`Not saved: ${fault.message}. Is eactf still running?`);
  }
  paint(card, one);
  count();
}

function cardOf(one) {
  const card = find("card").content.firstElementChild.cloneNode(true);
  const picture = card.querySelector("img");
  picture.src = `image/${one.number}.png`;
  picture.alt = `${one.name}, given as ${one.given}, likely ${one.likely}`;
  card.setAttribute("aria-label", picture.alt);
  card.querySelector(".given").textContent = one.given;
  card.querySelector(".likely").textContent = one.likely;
  card.querySelector(".name").textContent = one.name;
  const select = card.querySelector("select");
  options(select, classes.filter((name) => name !== one.given));
  select.value = one.likely;
  select.addEventListener("change", () => decide(card, one, "relabel"));
  for (const button of card.querySelectorAll("button")) {
    button.addEventListener("click", () =>
      decide(card, one, one.decision === button.dataset.word ? "undecided" : button.dataset.word));
  }
  const list = card.querySelector("dl");
  for (const [name, value] of Object.entries(one.figures)) {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name.replaceAll("_", " ");
    text.textContent = value === null ? "–" : String(value);
    list.append(term, text);
  }
  card.addEventListener("keydown", (event) => keys(event, card, one));
  paint(card, one);
  return card;
}

function keys(event, card, one) {
  if (event.target !== card && event.target.matches("select, summary")) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const words = { k: "keep", r: "relabel", d: "drop", u: "undecided" };
  if (event.key in words) {
    if (event.key === "r") card.querySelector("select").value = one.likely;
    decide(card, one, words[event.key]);
    if (event.key !== "u") card.nextElementSibling?.focus();
  } else if (event.key === "ArrowRight") {
    if (card.nextElementSibling === null) more();
    card.nextElementSibling?.focus();
  } else if (event.key === "ArrowLeft") {
    card.previousElementSibling?.focus();
  } else return;
  event.preventDefault();
}

function more() {
  find("cards").append(...shown.slice(filled, filled + STEP).map(cardOf));
  filled = Math.min(filled + STEP, shown.length);
  find("more").hidden = filled >= shown.length;
}

function filter() {
  const given = find("given").value, likely = find("likely").value, open = find("open").checked;
  shown = suspects.filter((one) => (!given || one.given === given) &&
    (!likely || one.likely === likely) && (!open || one.decision === null));
  find("cards").replaceChildren();
  filled = 0;
  more();
  count();
}

async function start() {
  try {
    const answer = await fetch("suspects");
    if (!answer.ok) throw new Error((await answer.json()).error);
    ({ classes, suspects } = await answer.json());
  } catch (fault) {
    trouble(`The suspects could not be read: ${fault.message}`);
    return;
  }
  options(find("given"), classes);
  options(find("likely"), classes);
  for (const id of ["given", "likely", "open"]) find(id).addEventListener("change", filter);
  find("filters").addEventListener("submit", (event) => event.preventDefault());
  find("more").addEventListener("click", more);
  filter();
  find("cards").firstElementChild?.focus();
}

start();
